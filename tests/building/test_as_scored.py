"""Answers and thinking read as they were scored: the mode, the markers, the answer key that manifests note."""

from __future__ import annotations

import json

import pytest

from w2s_factory import UserError, score, vote
from w2s_factory.answers.thinking import Markers
from w2s_factory.building import (
    PairRules,
    ResponseRule,
    build_full_weak,
    build_stage1,
    build_stage2,
    check_pairs,
)
from w2s_factory.generating import named_demonstrations, pick_demonstrations
from w2s_factory.records import last_facts
from w2s_factory.scoring.noted_way import noted_way
from w2s_factory.scoring.unused_markers import UnusedMarkersWarning

R = Markers("<r>", "</r>")
TYPED = Markers("<tink>", "</tink>")
THINKS = "<r>or \\boxed{19}</r>So \\boxed{18}"


def written(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def output(response, name=0, **more):
    return {"id": name, "prompt": "How many?", "response": response, **more}


def scored(folder, *responses, task="gsm8k", gold="18", mode="published", **options):
    """Results of questions that all have the same gold, a row for each response."""
    golds = [
        {"source": task, "question": "How many?", "solution": "", "answer": gold, "tag": {}}
        for _ in responses
    ]
    rows = [output(response, name) for name, response in enumerate(responses)]
    results = folder / "results.jsonl"
    files = written(folder / "golds.jsonl", golds), written(folder / "output.jsonl", rows)
    score(task, *files, results, mode, **options)
    return results


def seeds(folder, *responses, **options):
    for seed, response in enumerate(responses):
        scored(folder / f"seed{seed}", response, **options)
    return folder


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


HALVES = {"task": "math", "gold": "\\frac{1}{2}", "extraction": "auto"}


@pytest.mark.parametrize("mode", ["symbolic", "math-verify"])
def test_pairs_compare_answers_as_the_vote_did(mode, tmp_path):
    folder = seeds(
        tmp_path / "t", "\\boxed{x+x}", "\\boxed{2x}", "\\boxed{x*2}", "\\boxed{3}", mode=mode, **HALVES
    )
    vote(folder, tmp_path / "votes.jsonl", task="math")
    [row] = rows_of(tmp_path / "votes.jsonl")
    assert row["confidence"] == 0.75
    weak = scored(tmp_path / "weak", "\\boxed{\\frac{4x}{2}}", mode=mode, **HALVES)
    counts = build_stage2(
        "math", weak, tmp_path / "votes.jsonl", rules=PairRules(pairs_per_question=1)
    ).counts
    assert (counts.weak_chosen, counts.weak_rejected) == (1, 0)
    full = build_full_weak("math", weak, tmp_path / "full.json").file
    counts = build_stage2(
        "math", full, tmp_path / "votes.jsonl", rules=PairRules(pairs_per_question=1)
    ).counts
    assert (counts.weak_chosen, counts.weak_rejected) == (1, 0)
    icl = scored(tmp_path / "icl", "It is \\boxed{2x}", mode=mode, **HALVES)
    built = build_stage1("math", weak, icl, tmp_path / "data")
    assert built.agreement.kept == 1
    assert last_facts(built.built["weak"].file)["mode"] == mode


def test_answers_scored_as_published_are_compared_by_the_task(tmp_path):
    weak = scored(tmp_path / "weak", "#### 2x", task="gsm8k", mode="symbolic")
    icl = scored(tmp_path / "icl", "#### x+x", task="gsm8k", mode="symbolic")
    with pytest.raises(UserError, match="agree on none"):
        build_stage1("gsm8k", weak, icl)


def test_the_answer_alone_follows_the_markers_noted(tmp_path):
    answer = ResponseRule(train_on="answer")
    weak = scored(tmp_path / "weak", THINKS, extraction="auto", markers=R)
    icl = scored(tmp_path / "icl", "<r>19</r>It is \\boxed{18}", extraction="auto", markers=R)
    built = build_stage1("gsm8k", weak, icl, response_rule=answer).built
    outputs = [row["output"] for row in built["hybrid"].to_frame().to_dict("records")]
    assert outputs == ["So \\boxed{18}", "It is \\boxed{18}"]
    full = build_full_weak("gsm8k", weak, tmp_path / "full.json", response_rule=answer).file
    assert json.loads(full.read_text())[0]["output"] == "So \\boxed{18}"
    assert noted_way(full).markers == R
    folder = seeds(
        tmp_path / "t",
        "<r>5</r>\\boxed{18}",
        "<r>5</r>\\boxed{18}",
        "<r>6</r>\\boxed{6}",
        extraction="auto",
        markers=R,
    )
    vote(folder, tmp_path / "votes.jsonl")
    for source in (weak, full):
        pairs = build_stage2("gsm8k", source, tmp_path / "votes.jsonl", form="release", response_rule=answer)
        [pair] = json.loads(json.dumps(pairs.to_frame().to_dict("records")))
        assert pair["output"] == ["So \\boxed{18}", "\\boxed{6}"]
        assert check_pairs(pairs.built.file, weak).clean
    assert named_demonstrations(weak, [0])[0]["response"] == "So \\boxed{18}"
    [drawn] = pick_demonstrations("gsm8k", weak, count=1, extract="auto")
    assert drawn["response"] == "So \\boxed{18}"


@pytest.mark.parametrize("named", [{"markers": R}, {"mode": "symbolic"}, {"mode": "published"}])
def test_answers_found_again_are_extracted_as_they_were_scored(named, tmp_path):
    weak = scored(tmp_path / "weak", THINKS, extraction="auto", markers=R)
    icl = scored(tmp_path / "icl", "It is <r>19</r>\\boxed{18}", extraction="auto", markers=R)
    assert build_stage1("gsm8k", weak, icl, response_rule=ResponseRule(**named)).agreement.kept == 1
    folder = seeds(tmp_path / "t", THINKS, THINKS, extraction="auto", markers=R)
    summary = vote(folder, tmp_path / "votes.jsonl", task="gsm8k", **named)
    assert (summary.right, summary.empty) == (1, 0)
    assert last_facts(tmp_path / "votes.jsonl")["extract"] == "auto"
    assert noted_way(tmp_path / "votes.jsonl").markers == R


@pytest.mark.parametrize("mode", ["published", "symbolic"])
def test_the_answer_key_is_noted(mode, tmp_path):
    responses = ["Result: 18\nThat is 6 each.", "Result: 18\nOr 9 each."]
    options = {"extraction": "auto", "answer_key": "Result:", "mode": mode}
    folder = seeds(tmp_path / "t", *responses, **options)
    summary = vote(folder, tmp_path / "votes.jsonl", task="gsm8k", mode="symbolic")
    assert (summary.right, rows_of(tmp_path / "votes.jsonl")[0]["confidence"]) == (1, 1)
    assert last_facts(tmp_path / "votes.jsonl")["answer_key"] == "Result:"
    weak, icl = (scored(tmp_path / name, text, **options) for name, text in zip("ab", responses, strict=True))
    assert build_stage1("gsm8k", weak, icl, response_rule=ResponseRule(mode="symbolic")).agreement.kept == 1
    pairs = seeds(tmp_path / "u", *responses, "Result: 9\nThat is 18.", **options)
    vote(pairs, tmp_path / "more.jsonl", task="gsm8k")
    response_rule = ResponseRule(mode="symbolic")
    assert (
        build_stage2("gsm8k", weak, tmp_path / "more.jsonl", response_rule=response_rule).counts.weak_chosen
        == 1
    )


def test_seeds_with_other_keys_are_refused_where_one_rule_finds_answers_again(tmp_path):
    for seed, key in enumerate(("Result:", "So:")):
        options = {"extraction": "auto", "answer_key": key, "mode": "symbolic"}
        scored(tmp_path / f"t/seed{seed}", f"{key} 18", **options)
    with pytest.raises(UserError, match=r"was scored in another way .*answer key So:"):
        vote(tmp_path / "t", task="gsm8k")
    with pytest.raises(UserError, match=r"seed1/.*another answer key"):
        vote(tmp_path / "t", task="gsm8k", extraction="auto")


def test_answers_in_any_format_are_found_again_so(tmp_path):
    folder = seeds(tmp_path / "t", "so 18 dollars", "It is 18", any_format=True)
    assert vote(folder, task="gsm8k", mode="symbolic").right == 1


def test_verdicts_that_need_the_gold_as_written_are_refused_without_it(tmp_path):
    folder = seeds(tmp_path / "t", "\\boxed{\\frac{1}{2}}", **HALVES)
    problem = (
        "lack the gold as written, with which math-verify compares.*score --mode math-verify --extract auto"
    )
    with pytest.raises(UserError, match=problem):
        vote(folder, tmp_path / "votes.jsonl", task="math", mode="math-verify", extraction="auto")
    assert not (tmp_path / "votes.jsonl").exists()


TYPING_ERROR = "<think>a</think>b \\boxed{18}"


@pytest.mark.parametrize("read", ["full-weak", "1", "2", "demos", "named demos", "vote"])
def test_markers_that_no_response_has_are_refused(read, tmp_path):
    weak = scored(tmp_path / "weak", TYPING_ERROR, extraction="auto")
    response_rule = ResponseRule(train_on="answer", markers=TYPED)
    icl = scored(tmp_path / "icl", TYPING_ERROR + ".", extraction="auto")
    if read == "2":
        folder = seeds(tmp_path / "t", TYPING_ERROR, "\\boxed{3}", extraction="auto")
        vote(folder, tmp_path / "votes.jsonl")
    commands = {
        "full-weak": lambda: build_full_weak(
            "gsm8k", weak, tmp_path / "out.json", response_rule=response_rule
        ),
        "1": lambda: build_stage1("gsm8k", weak, icl, tmp_path / "out.json", response_rule=response_rule),
        "2": lambda: build_stage2(
            "gsm8k", weak, tmp_path / "votes.jsonl", tmp_path / "out.json", response_rule=response_rule
        ),
        "demos": lambda: pick_demonstrations("gsm8k", weak, count=1, extract="auto", markers=TYPED),
        "named demos": lambda: named_demonstrations(weak, [0], markers=TYPED),
        "vote": lambda: vote([weak], task="gsm8k", extraction="auto", markers=TYPED),
    }
    with pytest.raises(UserError, match='no response has the marker "<tink>" or "</tink>"'):
        commands[read]()
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("chat", "refused"), [(None, False), ({"thinking": "off"}, False), ({"thinking": "auto"}, True)]
)
def test_a_model_that_was_not_asked_to_think_needs_no_markers(chat, refused, tmp_path):
    written(tmp_path / "output.jsonl", [output("\\boxed{18}")])
    settings = {} if chat is None else {"chat": chat}
    written(tmp_path / "manifest.jsonl", [{"file": "output.jsonl", "settings": settings}])
    if refused:
        with pytest.raises(UserError, match="no response has the marker"):
            score("gsm8k", None, tmp_path / "output.jsonl", extraction="auto", markers=R)
        return
    with pytest.warns(UnusedMarkersWarning, match=r"output\.jsonl: no response has the marker"):
        score("gsm8k", None, tmp_path, tmp_path / "results.jsonl", extraction="auto", markers=R)
    with pytest.warns(UnusedMarkersWarning, match=r"results\.jsonl: no response has the marker"):
        build_full_weak("gsm8k", tmp_path / "results.jsonl", response_rule=ResponseRule(markers=R))
    icl = scored(tmp_path / "icl", THINKS, extraction="auto", markers=R)
    with pytest.warns(UnusedMarkersWarning) as warned:
        assert build_stage1("gsm8k", tmp_path, icl, response_rule=ResponseRule(markers=R)).agreement.kept == 1
    assert len(warned) == 1
