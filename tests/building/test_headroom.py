"""`headroom`, and `evaluate --headroom`: what a vote over samples knows beyond the greedy answer."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import commands
from tests.experiment.made_runs import make_run
from w2s_factory import (
    DelegateError,
    UserError,
    build_stage2,
    headroom,
    paired_bootstrap,
    records,
    wilson_interval,
)
from w2s_factory.building import build_consistency_pairs, build_gold_pairs
from w2s_factory.building.stage2_headroom import headroom_in_words

GOLD = "1"


def rows(preds, *, known=True):
    for number, pred in enumerate(preds):
        row = {"id": number, "prompt": "", "response": pred, "pred": pred}
        yield row | ({"gold": GOLD, "result": pred == GOLD} if known else {})


def measured(greedy, samples, **options):
    return headroom(list(rows(greedy)), [list(rows(sample)) for sample in samples], **options)


@st.composite
def answers(draw):
    """The greedy answers to some questions, and those of each sample."""
    questions, k = draw(st.integers(1, 8)), draw(st.integers(1, 5))
    column = st.lists(st.sampled_from(["1", "2", "3"]), min_size=questions, max_size=questions)
    return draw(column), [draw(column) for _ in range(k)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answers())
def test_numbers_and_sentence_are_those_of_a_direct_computation(drawn):
    greedy, samples = drawn
    found, k, total = measured(greedy, samples), len(samples), len(greedy)
    columns = list(zip(*samples, strict=True))
    first = [pred == GOLD for pred in greedy]
    vote = [Counter(column).most_common(1)[0][0] == GOLD for column in columns]  # ties: the first to occur
    passed = sum(GOLD in column for column in columns)
    shares = found.shares
    assert (found.questions, found.left_out, found.k, found.pairs) == (total, 0, k, None)
    assert shares.greedy == (sum(first) / total, *wilson_interval(sum(first), total))
    assert shares.majority == (sum(vote) / total, *wilson_interval(sum(vote), total))
    assert shares.passed == (passed / total, *wilson_interval(passed, total))
    right = sum(pred == GOLD for sample in samples for pred in sample)
    assert shares.averaged.value == pytest.approx(right / (k * total))
    assert shares.difference == paired_bootstrap(first, vote)
    assert found.points == pytest.approx(100 * (sum(vote) - sum(first)) / total)
    _, low, high = shares.difference
    knows = (
        "knows more than" if low > 0 else "knows less than" if high < 0 else "does not clearly know more than"
    )
    assert found.sentence == (
        f"The majority of {k} samples {knows} the greedy answer: {sum(vote) / total:.1%} against "
        f"{sum(first) / total:.1%} of {total} questions, {100 * (sum(vote) - sum(first)) / total:+.1f} points "
        f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f})."
    )


@pytest.mark.parametrize(
    ("greedy", "vote", "knows"),
    [(20, 90, "knows more than"), (90, 20, "knows less than"), (50, 52, "does not clearly know more than")],
)
def test_the_interval_decides_what_is_said(greedy, vote, knows):
    def right(count):
        return [GOLD] * count + ["2"] * (100 - count)

    assert f" {knows} the greedy answer" in measured(right(greedy), [right(vote)] * 3).sentence


@pytest.mark.parametrize(("require", "stops"), [(-100, False), (5, False), (5.01, True), (100, True)])
def test_a_required_headroom_is_compared_with_the_point_estimate(tmp_path, require, stops):
    greedy, vote = ["2"] * 5 + [GOLD] * 95, [GOLD] * 100
    output = tmp_path / "headroom.json"
    if stops:
        with pytest.raises(
            DelegateError, match=rf"does not reach the required {require:g} points\. The major"
        ):
            measured(greedy, [vote] * 2, require=require, output=output)
        assert not output.exists()
        return
    found = measured(greedy, [vote] * 2, require=require, output=output)
    assert json.loads(output.read_text()) == json.loads(json.dumps(found.as_json()))
    assert found.points == 5


def test_k_takes_the_first_samples():
    found = measured([GOLD, "2"], [[GOLD, "2"], ["2", GOLD], ["2", GOLD]], k=1)
    assert (found.k, found.shares.majority.value, found.shares.passed.value) == (1, 0.5, 0.5)
    assert found.shares.averaged.value == 0.5
    assert found.shares.difference.value == 0


def test_without_golds_nothing_is_measured_and_nothing_required_is_reached():
    greedy, samples = list(rows("12", known=False)), [list(rows("11", known=False))] * 2
    found = headroom(greedy, samples)
    assert (found.questions, found.left_out, found.shares, found.points) == (0, 2, None, None)
    assert "is not known" in found.sentence
    with pytest.raises(DelegateError, match="is not known"):
        headroom(greedy, samples, require=-100)


@pytest.mark.parametrize(
    ("greedy", "samples", "options", "message"),
    [
        ("1", ["12"], {}, "has no verdict on the question 1, but samples has one"),
        ("12", ["1"], {}, "has a verdict on the question 1, but samples has none"),
        ("12", ["12"], {"k": 2}, "needs 2 seeds, got 1"),
        ("12", [], {}, "holds no seeds"),
        ("12", ["12"], {"require": 101}, '"require": .*from -100 to 100'),
        ("12", ["12"], {"pairs": "nowhere.json"}, "nowhere.json: no such file"),
    ],
)
def test_what_cannot_be_compared_is_refused(greedy, samples, options, message):
    with pytest.raises(UserError, match=message):
        measured(greedy, samples, **options)


def test_a_question_that_occurs_twice_is_refused():
    samples = [[*rows("12"), *rows("1")]]
    with pytest.raises(UserError, match="each id once in a file of results, got 0 again"):
        headroom(list(rows("12")), samples)


def test_a_greedy_file_of_other_questions_is_refused():
    other = [row | {"gold": "7", "result": False} for row in rows("12")]
    with pytest.raises(UserError, match=r"field \"gold\": expected '1' as in samples of seed 0, got '7'"):
        headroom(other, [list(rows("11"))])


def test_a_greedy_file_is_read_even_where_no_gold_is_known(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        headroom(tmp_path / "nowhere.jsonl", [list(rows("11", known=False))])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made run's M_plus and Stage II."""
    folder = tmp_path_factory.mktemp("made")
    make_run(folder, seeds=(0,), questions=40, asked=40, accuracies={"iter2_hybrid_ft": 0.7})
    return folder / "seed0"


def evaluated(made, *options):
    model = made / "test/iter2_hybrid_ft"
    return commands.run("evaluate", model, "--headroom", model / "t1.0", *options, folder=made)


def test_evaluate_prints_it_and_writes_it(made, tmp_path):
    pairs, output = made / "stage2/data/made_paired.json", tmp_path / "h.json"
    shown = evaluated(made, "--pairs", str(pairs), "--output", str(output), "--task", "gsm8k")
    assert shown.returncode == 0, shown.stderr
    written = json.loads(output.read_text())
    sentence, *lines = shown.stdout.splitlines()
    assert sentence == written["sentence"]
    assert [line.split()[0] for line in lines[:4]] == ["greedy", "avg@10", "maj@10", "pass@10"]
    count = len(json.loads(pairs.read_text()))
    assert written["pairs"] == count
    assert lines[4].startswith(f"  {count} pairs: chosen right {written['chosen_right']:.1%} of {count}")
    assert json.loads(evaluated(made, "--pairs", str(pairs), "--task", "gsm8k", "--json").stdout) == written


@pytest.mark.parametrize(
    ("origin", "pairs", "message"),
    [
        (
            {"weak_side": "left"},
            1,
            "p.origins.jsonl:1: field \"weak_side\": expected chosen or rejected, got 'left'",
        ),
        (
            {"weak_result": "yes"},
            1,
            'p.origins.jsonl:1: field "weak_result": expected true or false or null, got text',
        ),
        (
            {"other_result": 1},
            1,
            'p.origins.jsonl:1: field "other_result": expected true or false or null, got a whole number',
        ),
        ({"chosen": {}, "rejected": {}}, 1, 'p.origins.jsonl:1: field "chosen.pool": is missing'),
        ({}, 2, "p.json: holds 2 pairs, but there are origins of 1"),
        ({"id": 7}, 1, "p.json: pair 1 is of the id 0, but its origin is of 7"),
    ],
)
def test_pairs_and_origins_that_cannot_be_counted_are_refused(tmp_path, origin, pairs, message):
    sides = {"weak_side": "chosen", "weak_pred": GOLD, "weak_result": True, "other_pred": "2"}
    draw = {"id": 0, "prompt": "?", "confidence": 0.8, "votes": {"1": 2}, "pool": "neg_responses", "place": 0}
    draw |= {"seed": None}
    (tmp_path / "p.origins.jsonl").write_text(json.dumps(draw | sides | {"other_result": False} | origin))
    (tmp_path / "p.json").write_text(json.dumps([{"id": 0}] * pairs))
    with pytest.raises(UserError, match=re.escape(message)):
        measured("12", ["12"], pairs=tmp_path / "p.json")


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"weak_side": "chosen"}, 'p.origins.jsonl:2: field "chosen": expected none, since'),
        ({}, 'p.origins.jsonl:2: field "weak_side": is missing'),
    ],
)
def test_origins_of_two_kinds_in_one_file_are_refused(tmp_path, second, message):
    known = {
        "id": 0,
        "prompt": "?",
        "confidence": 0.8,
        "votes": {"1": 2},
        "pool": "neg_responses",
        "place": 0,
    }
    weak = {"weak_side": "chosen", "weak_pred": GOLD, "weak_result": True, "other_pred": "2"}
    first = known | weak | {"other_result": None, "seed": None}
    side = {"pool": "neg_responses", "place": 0, "seed": None, "pred": "1", "result": None}
    if second:
        second = first
    rows = [first, known | second | {"chosen": side, "rejected": side}]
    (tmp_path / "p.origins.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "p.json").write_text(json.dumps([{"id": 0}] * 2))
    with pytest.raises(UserError, match=re.escape(message)):
        measured("12", ["12"], pairs=tmp_path / "p.json")


def test_origins_in_place_of_their_pairs_are_refused(tmp_path):
    (tmp_path / "p.origins.jsonl").touch()
    with pytest.raises(UserError, match="expected pairs, got their origins"):
        measured("12", ["12"], pairs=tmp_path / "p.origins.jsonl")


def test_a_sampled_answer_is_not_called_greedy(tmp_path):
    samples = [list(rows("11"))] * 2
    for name, temperature in (("greedy", 0.0), ("sampled", 0.5)):
        folder = tmp_path / name
        records.write(folder / "output.jsonl", [{"id": 0, "response": "1"}])
        records.note([folder / "output.jsonl"], settings={"temperature": temperature})
        records.write(folder / "results.jsonl", rows("21"))
    greedy, sampled = (headroom(tmp_path / name, samples) for name in ("greedy", "sampled"))
    assert "know more than the greedy answer: 100.0% against" in greedy.sentence
    assert "temperature" not in greedy.as_json()
    assert "know more than one sampled answer (temperature 0.5): 100.0% against" in sampled.sentence
    assert sampled.as_json()["temperature"] == 0.5
    assert headroom_in_words(sampled.as_json())[1].startswith("  sampled  50.0%")


def test_evaluate_takes_the_first_samples(made):
    first = json.loads(evaluated(made, "--samples", "3", "--json").stdout)
    model = made / "test/iter2_hybrid_ft"
    assert first == json.loads(json.dumps(headroom(model, model / "t1.0", k=3).as_json()))
    assert first["k"] == 3


def test_the_verdicts_on_pairs_are_those_of_their_building(made):
    folder = made / "stage2"
    counts = build_stage2(
        "gsm8k", made / "iter1/weak_results.jsonl", folder / "majority_voting_results.jsonl"
    ).counts
    found = headroom(made / "test/iter2_hybrid_ft", made / "test/iter2_hybrid_ft/t1.0",
                     pairs=folder / "data/made_paired.json").pairs  # fmt: skip
    assert (found.pairs, found.chosen, found.rejected) == (counts.pairs, counts.chosen, counts.rejected)


@pytest.mark.parametrize("kind", ["random", "consistency", "gold"])
def test_the_verdicts_on_pairs_of_every_kind(made, tmp_path, kind):
    votes, pairs = made / "stage2/majority_voting_results.jsonl", tmp_path / "pairs.json"
    if kind == "random":
        weak = made / "iter1/weak_results.jsonl"
        counts = build_stage2("gsm8k", weak, votes, pairs, random_sides=True).counts
    else:
        build = build_consistency_pairs if kind == "consistency" else build_gold_pairs
        counts = build("gsm8k", votes, pairs).counts
    shown = evaluated(made, "--pairs", str(pairs), "--json")
    found = json.loads(shown.stdout)
    assert found["pairs"] == counts.pairs > 0
    assert (found["chosen_right"], found["rejected_right"]) == (counts.chosen.share, counts.rejected.share)
    if kind == "gold":
        assert (found["chosen_right"], found["rejected_right"]) == (1, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pass-at", "2"], "--pass-at cannot be combined with --headroom"),
        (["--csv", "t.csv"], "--csv cannot be combined with --headroom"),
        (["--require-headroom", "101"], "--require-headroom"),
    ],
)
def test_options_that_do_not_fit_are_refused(made, options, message):
    shown = evaluated(made, *options)
    assert shown.returncode == 2
    assert message in shown.stderr


@pytest.mark.parametrize("option", ["--require-headroom", "--samples"])
def test_options_of_the_headroom_need_it(made, option):
    shown = commands.run("evaluate", made / "test/iter2_hybrid_ft", option, "5", folder=made)
    assert shown.returncode == 2
    assert f"{option} is read only with --headroom" in shown.stderr
