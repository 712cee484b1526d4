"""`score` on files: joins, refusals, what is written."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.memory import peak
from w2s_factory import UserError, compare_modes, evaluate, score
from w2s_factory.records import content_hash, row_index
from w2s_factory.tasks import get_task


def rows(path, found):
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def gold(answer, **more):
    return {"source": "GSM8K", "question": "p", "solution": "", "answer": answer, "tag": {}, **more}


def output(name, answer, **more):
    return {"id": name, "prompt": "p", "response": f"so\n#### {answer}", **more}


@pytest.fixture
def golds(tmp_path):
    return rows(tmp_path / "golds.jsonl", [gold("1"), gold("0.5"), gold("3")])


def scored(tmp_path, golds, outputs, *more, **options):
    out = tmp_path / "out" / "results.jsonl"
    summary = score("gsm8k", golds, rows(tmp_path / "output.jsonl", outputs), out, *more, **options)
    return summary, [json.loads(line) for line in out.read_text().splitlines()]


def test_writes_results_metrics_report_and_manifest(tmp_path, golds):
    outputs = [output(2, "3", extra=[1]), output(0, "2"), output(1, "0.50")]
    summary, results = scored(tmp_path, golds, outputs, "symbolic")
    assert [list(row) for row in results] == [
        ["id", "prompt", "response", *more, "pred", "gold", "result"] for more in (["extra"], [], [])
    ]
    assert [(row["pred"], row["gold"], row["result"]) for row in results] == [
        ("3", "3", True),
        ("2", "1", False),
        ("0.50", "0.5", True),
    ]
    assert (summary.rows, summary.right, summary.empty, summary.limits) == (3, 2, 0, {})
    folder = tmp_path / "out"
    assert (folder / "metrics.json").read_text() == '{"acc": 0.6666666666666666}'
    report = json.loads((folder / "scoring_report.json").read_text())
    assert report["mode"] == "symbolic"
    assert report["ended_by_a_limit"] == []
    manifest = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert {line["file"] for line in manifest} == {"results.jsonl", "metrics.json", "scoring_report.json"}
    assert all(line["mode"] == "symbolic" for line in manifest)
    assert manifest[0]["versions"]["sympy"]
    assert manifest[0]["versions"]["antlr4-python3-runtime"].startswith("4.11")


def test_scores_results_again_in_place_of_the_old_verdicts(tmp_path, golds):
    old = {"pred": "x", "gold": "y", "result": True, "num_tokens": 7, "num_words": 3}
    outputs = [output(name, "1", **old) for name in range(3)]
    _, results = scored(tmp_path, golds, outputs)
    assert list(results[1]) == [*output(0, ""), *old]
    assert results[1] | {"response": ""} == output(1, "") | old | {
        "response": "",
        "pred": "1",
        "gold": "0.5",
        "result": False,
    }


def test_lists_what_a_limit_ended(tmp_path, golds):
    outputs = [output(0, "1" * 2000), output(1, "2^{10^{9^{9}}}"), output(2, "3")]
    summary, _ = scored(tmp_path, golds, outputs, "symbolic")
    assert summary.limits == {"length": 1, "exponent": 1}
    report = json.loads((tmp_path / "out" / "scoring_report.json").read_text())
    assert report["limits"] == summary.limits
    assert [(row["id"], row["limit"]) for row in report["ended_by_a_limit"]] == [
        (0, "length"),
        (1, "exponent"),
    ]
    assert report["ended_by_a_limit"][0]["pred_length"] == 2000


def test_joins_by_the_id_of_the_golds(tmp_path):
    golds = rows(tmp_path / "golds.jsonl", [gold("1", id="b"), gold("2", id="a")])
    _, results = scored(tmp_path, golds, [output("a", "2"), output("b", "1")])
    assert all(row["result"] for row in results)


def test_text_ids_without_ids_of_the_golds_go_in_order(tmp_path, golds):
    outputs = [output("x", "1"), output("y", "0.5"), output("z", "3")]
    _, results = scored(tmp_path, golds, outputs)
    assert all(row["result"] for row in results)
    with pytest.raises(UserError, match=r"expected as many rows as .*, got 2"):
        scored(tmp_path, golds, outputs[:2], partial=True, force=True)


def test_odd_text_comes_through(tmp_path):
    odd = "\ud800\0\u2028\u0663"
    golds = rows(tmp_path / "golds.jsonl", [gold(odd)])
    for mode in ("published", "symbolic", "math-verify"):
        _, results = scored(tmp_path, golds, [output(0, odd)], mode, force=True)
        assert results[0]["pred"] == odd
        assert results[0]["gold"] == odd
        assert results[0]["result"] or mode == "math-verify"  # which finds no answer in it


REFUSED = [
    pytest.param([output(0, "1")], r"expected as many rows as .* \(3\), got 1.*--partial", id="too few"),
    pytest.param(
        [output(n, "1") for n in range(4)], "got 4. Are these the gold answers of another", id="too many"
    ),
    pytest.param(
        [output(0, "1"), output(7, "1"), output(1, "1")],
        r":2: .*the id 7 is not in .* of another split",
        id="no gold",
    ),
    pytest.param([output(0, "1"), output(1, "1"), output(1, "1")], ":3: .*duplicate id 1", id="twice"),
    pytest.param([], "holds no rows", id="empty"),
]


@pytest.mark.parametrize(("outputs", "message"), REFUSED)
def test_refusals_name_the_place(tmp_path, golds, outputs, message):
    with pytest.raises(UserError, match=message):
        scored(tmp_path, golds, outputs)
    assert not (tmp_path / "out").exists()


def test_partial(tmp_path, golds):
    summary, _ = scored(tmp_path, golds, [output(2, "3")], partial=True)
    assert summary.accuracy == 1


def test_overwrites_only_when_asked(tmp_path, golds):
    outputs = [output(name, "1") for name in range(3)]
    scored(tmp_path, golds, outputs)
    scored(tmp_path, golds, outputs)  # the same bytes
    with pytest.raises(UserError, match="--force"):
        scored(tmp_path, golds, [output(name, "3") for name in range(3)])
    assert '"pred": "1"' in (tmp_path / "out" / "results.jsonl").read_text()


@pytest.mark.parametrize("side", ["responses", "golds"])
def test_results_never_take_the_place_of_what_they_are_scored_from(tmp_path, golds, side):
    responses = rows(tmp_path / "results.jsonl", [output(name, "1") for name in range(3)])
    output_file = responses if side == "responses" else golds
    before = content_hash(responses), content_hash(golds)
    with pytest.raises(UserError, match="is read by this command, which would overwrite it"):
        score("gsm8k", golds, responses, output_file, force=True)
    assert (content_hash(responses), content_hash(golds)) == before
    assert not (tmp_path / "manifest.jsonl").exists()


def test_compare_modes(tmp_path):
    golds = rows(tmp_path / "golds.jsonl", [gold("x<3"), gold("0.5"), gold("1"), gold("0.5")])
    outputs = rows(
        tmp_path / "o.jsonl", [output(n, a) for n, a in enumerate(["x<3", "0.50", "1", r"\frac{1}{2}"])]
    )
    found = compare_modes("gsm8k", golds, outputs, ["published", "symbolic", "math-verify"])
    assert found.right == (2, 3, 4)
    assert [(one.results, one.rows) for one in found.disagreements] == [
        ((False, True, True), 2),
        ((True, False, True), 1),
    ]
    assert [(name, one.pred) for name, one in found.disagreements[0].examples] == [
        (1, "0.50"),
        (3, r"\frac{1}{2}"),
    ]
    assert "0: x<3 | x<3" in found.table()
    with pytest.raises(UserError, match="two different modes"):
        compare_modes("gsm8k", golds, outputs, ["published"])


def test_comparing_modes_says_how_many_comparisons_a_limit_ended(tmp_path):
    golds = rows(tmp_path / "golds.jsonl", [gold("1"), gold("x" * 1001), gold("2")])
    outputs = [output(0, "1"), output(1, "y" * 1001), output(2, r"\int_0^{\infty}e^{-x^2}\sin(x^3)\log(x)dx")]
    found = compare_modes(
        "gsm8k", golds, rows(tmp_path / "o.jsonl", outputs), ["published", "symbolic"], timeout=0.5
    )
    assert found.limits == ({}, {"length": 1, "time": 1})
    published, symbolic = found.table().splitlines()[:2]
    assert published.endswith("published: 1 of 3 right")
    assert symbolic.endswith("1 of 3 right, 1 ended by a limit (length), 1 ended by a limit (time)")


def test_no_disagreement(tmp_path):
    golds = rows(tmp_path / "golds.jsonl", [gold("1")])
    found = compare_modes(
        "gsm8k", golds, rows(tmp_path / "o.jsonl", [output(0, "1")]), ["published", "symbolic"]
    )
    assert found.table().endswith("No disagreement.")


def test_paths_may_be_text(tmp_path, golds):
    outputs = rows(tmp_path / "o.jsonl", [output(n, "1") for n in range(3)])
    summary = score("gsm8k", str(golds), str(outputs), str(tmp_path / "r.jsonl"))
    assert summary.results == Path(tmp_path / "r.jsonl")


def scored_olympic(tmp_path, answers, responses):
    golds = rows(tmp_path / "golds.jsonl", [gold(answer, id=f"M_{n}") for n, answer in enumerate(answers)])
    out = tmp_path / "out" / "results.jsonl"
    summary = score("olympic_arena", golds, rows(tmp_path / "output.jsonl", responses), out)
    return summary, [json.loads(line) for line in out.read_text().splitlines()]


def boxed(number, answer, **more):
    return {"id": f"M_{number}", "prompt": "p", "response": rf"\boxed{{{answer}}}", **more}


def test_what_has_no_known_gold_gets_an_answer_and_no_verdict(tmp_path):
    outputs = [boxed(0, "1"), boxed(1, "5", gold="old", result=True), boxed(2, "4")]
    summary, results = scored_olympic(tmp_path, ["1", "", "3"], outputs)
    assert (summary.rows, summary.known, summary.right, summary.accuracy) == (3, 2, 1, 0.5)
    assert results[1] == boxed(1, "5", pred="5")
    found = evaluate([tmp_path / "out"], floor=tmp_path / "out", ceiling=1)
    assert [(row["questions"], row["right"]) for row in found.results] == [(2, 1)]
    assert found.notes == [f"{tmp_path / 'out'}: 1 questions whose gold is not known are left out"] * 2


def test_where_no_gold_is_known_there_is_no_accuracy(tmp_path):
    summary, _ = scored_olympic(tmp_path, [""], [boxed(0, "")])
    assert summary.accuracy is None
    assert (tmp_path / "out" / "metrics.json").read_text() == '{"acc": null}'
    with pytest.raises(UserError, match="no gold answer is known"):
        evaluate([tmp_path / "out"])


def hints(said):
    """The next commands, and what is missing for others."""
    return [line.removeprefix("Next: ") for line in said.stdout.splitlines() if line.startswith("Next: ")]


@pytest.mark.parametrize(("name", "answer"), [("none", ""), ("one", "4")])
def test_the_next_command_is_one_that_can_be_run(tmp_path, w2s, name, answer):
    """Without a known gold `evaluate` has nothing to say."""
    golds = rows(tmp_path / f"{name}.jsonl", [gold(answer, id="M_0")])
    outputs = rows(tmp_path / f"{name}_out.jsonl", [boxed(0, "4")])
    asked = ("score", "--task", "olympic_arena", "--golds", golds, "--input", outputs, "--output")
    alone = hints(w2s(*asked, f"{name}/results.jsonl"))
    seed = hints(w2s(*asked, f"{name}/seed0/results.jsonl"))
    voted = hints(w2s("vote", "--input", name, "--output", f"{name}_votes.jsonl"))
    pass_at = f"w2s-factory evaluate --task olympic_arena --pass-at 1 {name}"
    if answer:
        assert (alone[0], seed[0], voted[0]) == ("w2s-factory evaluate one/results.jsonl", pass_at, pass_at)
    else:
        assert not [line for line in [*alone, *seed, *voted] if "evaluate" in line]
        assert "no gold answer is known" in w2s("evaluate", "--pass-at", 1, "none", code=2).stderr
    onward = f"vote --task olympic_arena --input {name} --output {name}/majority_voting_results.jsonl"
    assert seed[-1] == f"w2s-factory {onward}"
    assert "for Stage I, " in alone[-1]
    assert "for Stage II, " in voted[-1]


def test_pass_at_k_leaves_out_what_has_no_known_gold(tmp_path):
    for seed, answer in enumerate("57"):
        golds = rows(tmp_path / "golds.jsonl", [gold("5", id="M_0"), gold("", id="M_1")])
        outputs = rows(tmp_path / "output.jsonl", [boxed(0, answer), boxed(1, answer)])
        score("olympic_arena", golds, outputs, tmp_path / "run" / f"seed{seed}" / "results.jsonl")
    found = evaluate([tmp_path / "run"], pass_at=2)
    assert [(row["questions"], row["pass_at_k"]) for row in found.results] == [(1, 1.0)]
    assert found.notes == [f"{tmp_path / 'run'}: 1 questions whose gold is not known are left out"]


def test_a_malformed_structured_gold_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="not a gold answer"):
        scored_olympic(tmp_path, ['${"answer": 3}'], [boxed(0, "3")])


@pytest.mark.parametrize("mode", ["symbolic", "math-verify"])
def test_other_modes_refuse_golds_that_say_more_than_an_answer(tmp_path, mode):
    structured = '${"answer": ["1", "2"], "type_sequence": ["NV", "NV"]}'
    golds = rows(tmp_path / "golds.jsonl", [gold(structured, id="M_0"), gold("1", id="M_1")])
    outputs = rows(tmp_path / "output.jsonl", [boxed(0, "1, 2"), boxed(1, "1")])
    with pytest.raises(
        UserError, match=r'^field "mode": 1 gold answers of olympic_arena hold more than one answer'
    ):
        score("olympic_arena", golds, outputs, tmp_path / "r.jsonl", mode)
    assert not (tmp_path / "r.jsonl").exists()
    with pytest.raises(UserError, match="hold more"):
        compare_modes("olympic_arena", golds, outputs, ["published", mode])
    plain = rows(tmp_path / "plain.jsonl", [gold("2", id="M_0"), gold("1", id="M_1")])
    assert score("olympic_arena", plain, outputs, tmp_path / "r.jsonl", mode).known == 2


def test_golds_of_another_split_are_refused(tmp_path):
    others = rows(tmp_path / "golds.jsonl", [gold("1", question="another"), gold("2", question="a third")])
    with pytest.raises(UserError, match=r'field "prompt": no prompt holds the question.*golds\.jsonl'):
        scored(tmp_path, others, [output(0, "1"), output(1, "2")])
    one = rows(tmp_path / "golds.jsonl", [gold("1"), gold("2", question="written in another way there")])
    assert scored(tmp_path, one, [output(0, "1"), output(1, "2")])[0].right == 2


def write_responses(folder, questions, length=0):
    """Responses in another order than the golds; every fifth gold is not known, every third answer is wrong."""
    folder.mkdir()
    golds = (
        gold(None if number % 5 == 0 else str(number), id=f"name {number}") for number in range(questions)
    )
    outputs = (
        output(f"name {number}", number - (number % 3 == 0)) | {"response": f"{'x' * length}\n#### {number}"}
        if number % 7
        else output(f"name {number}", "(" * 2000)
        for number in reversed(range(questions))
    )
    rows(folder / "golds.jsonl", golds)
    return folder / "golds.jsonl", rows(folder / "output.jsonl", outputs)


@pytest.mark.parametrize("mode", ["published", "symbolic"])
def test_responses_worked_on_together_change_nothing(tmp_path, monkeypatch, mode):
    files = write_responses(tmp_path / "made", 40)
    found = {}
    for size in (10**9, 100, 1):
        monkeypatch.setattr(row_index, "_TOGETHER", size)
        out = tmp_path / str(size) / "results.jsonl"
        summary = score("gsm8k", *files, out, mode)
        written = {path.name: path.read_bytes() for path in out.parent.glob("*[!l]") if path.is_file()}
        found[size] = replace(summary, results=files[1]), written, out.read_bytes()
    assert found[1] == found[100] == found[10**9]
    assert found[1][0].limits == ({"length": 4} if mode == "symbolic" else {})


def test_an_error_in_a_later_response_names_its_row(tmp_path, golds, monkeypatch):
    def fails(self, response, answer_key=None):
        if response.endswith("3"):
            raise UserError("cannot be read")
        return response

    monkeypatch.setattr(type(get_task("gsm8k")), "extract", fails)
    messages = set()
    for size in (10**9, 1):
        monkeypatch.setattr(row_index, "_TOGETHER", size)
        with pytest.raises(UserError) as raised:
            scored(tmp_path, golds, [output(2, "2"), output(0, "2"), output(1, "3")])
        messages.add(str(raised.value))
    assert len(messages) == 1
    assert "output.jsonl: row 3: id 1: cannot be read" in messages.pop()
    assert not (tmp_path / "out").exists()


def test_memory_does_not_grow_with_the_responses(tmp_path, monkeypatch):
    monkeypatch.setattr(row_index, "_TOGETHER", 100_000)
    made = {number: write_responses(tmp_path / str(number), number, length=4000) for number in (500, 3000)}
    few, many = (
        peak(partial(score, "gsm8k", *files, files[0].with_name("results.jsonl"))) for files in made.values()
    )
    assert many < few + 2500 * 300


def boxed_but(keyed):
    """Ten responses, of which these many have the answer after the key; the others have it in a box."""
    boxes = [{"id": n, "prompt": "p", "response": rf"So \boxed{{{n}}}"} for n in range(10)]
    return [output(n, n) for n in range(keyed)] + boxes[keyed:]


@pytest.mark.parametrize(
    ("keyed", "options", "found"),
    [
        (0, {}, ("auto", 10, 10)),
        (1, {}, ("auto", 9, 9)),
        (2, {}, None),
        (0, {"extraction": "auto"}, None),
        (10, {"extraction": r"regex:no(\d)"}, ("auto", 10, 10)),
        (0, {"extraction": r"regex:no(\d)", "mode": "math-verify"}, ("auto", 10, 10)),
    ],
)
def test_another_way_is_named_where_nearly_no_answer_is_found(tmp_path, keyed, options, found):
    golds = rows(tmp_path / "golds.jsonl", [gold(str(n)) for n in range(10)])
    assert score("gsm8k", golds, rows(tmp_path / "o.jsonl", boxed_but(keyed)), **options).other_way == found


def test_no_way_is_named_where_none_finds_answers(tmp_path, golds):
    outputs = [{"id": n, "prompt": "p", "response": text} for n, text in enumerate(["", "no", "never"])]
    assert scored(tmp_path, golds, outputs)[0].other_way is None
