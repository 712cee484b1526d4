"""Answers found and compared by one rule: in `score`, in `vote`, with thinking, and by Math-Verify itself."""

from __future__ import annotations

import json

import pytest
from math_verify import parse, verify

from w2s_factory import (
    UserError,
    compare_modes,
    evaluate,
    get_task,
    score,
    score_response,
    score_responses,
    vote,
)
from w2s_factory.answers.thinking import Markers
from w2s_factory.records import last_facts
from w2s_factory.scoring import rule as rule_module
from w2s_factory.scoring.noted_way import noted_way
from w2s_factory.scoring.rule import scoring_rule
from w2s_factory.scoring.unused_markers import UnusedMarkersWarning


def written(path, found):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def gold(answer):
    return {"source": "GSM8K", "question": "p", "solution": "", "answer": answer, "tag": {}}


def output(name, response, **more):
    return {"id": name, "prompt": "p", "response": response, **more}


UNCLOSED = "<think>so \\boxed{1}"
RESPONSES = [
    output(0, "<think>or 3</think>So it is \\boxed{1}"),
    output(1, UNCLOSED),
    output(2, "It is \\boxed{1}", prompt_opens_thinking=True),
    output(3, "", error="HTTP 400: too long"),
    output(4, "It is 1,000 in all"),
]


@pytest.fixture
def files(tmp_path):
    golds = written(tmp_path / "golds.jsonl", [gold(answer) for answer in ("1", "1", "1", "1", "1000")])
    return golds, written(tmp_path / "output.jsonl", RESPONSES)


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_only_the_answer_is_scored_and_unclosed_thinking_is_named(files, tmp_path):
    summary = score("gsm8k", *files, tmp_path / "out/results.jsonl", extraction="auto")
    assert [(row["pred"], row["result"]) for row in rows_of(tmp_path / "out/results.jsonl")] == [
        ("1", True), ("", False), ("", False), ("", False), ("1000", True),
    ]  # fmt: skip
    assert (summary.empty, summary.unclosed, summary.failed) == (3, 2, 1)
    report = json.loads((tmp_path / "out/scoring_report.json").read_text())
    assert report["extract"] == "auto"
    assert report["unanswered_thinking_did_not_end"] == 2
    assert report["unanswered_request_failed"] == 1
    assert last_facts(tmp_path / "out/results.jsonl")["extract"] == "auto"
    assert last_facts(tmp_path / "out/metrics.json")["extract"] == "auto"


def test_published_reports_name_no_way(tmp_path):
    golds = written(tmp_path / "golds.jsonl", [gold("1"), gold("2")])
    responses = written(tmp_path / "output.jsonl", [output(0, "#### 1"), output(1, "none")])
    score("gsm8k", golds, responses, tmp_path / "out/results.jsonl")
    report = json.loads((tmp_path / "out/scoring_report.json").read_text())
    assert list(report) == [
        "task",
        "mode",
        "timeout",
        "rows",
        "known",
        "right",
        "empty",
        "limits",
        "ended_by_a_limit",
    ]
    assert not {"extract", "reasoning"} & {*last_facts(tmp_path / "out/results.jsonl")}


def test_the_published_way_reads_the_whole_response():
    assert score_response("gsm8k", "<think>so\n#### 1", "1").result
    assert score_response("gsm8k", "<think>so\n#### 1", "1").ended
    assert not score_response("gsm8k", "<think>so", "1").ended


def test_other_markers(files, tmp_path):
    markers = Markers("<r>", "</r>")
    [one, two] = score_responses(
        "gsm8k", ["<r>\\boxed{2}</r>1", "<r>1"], ["1", "1"], extraction="auto", markers=markers
    )
    assert (one.pred, two.pred, two.ended) == ("1", "", False)
    golds, responses = files
    score("gsm8k", golds, responses, tmp_path / "out/results.jsonl", extraction="auto", markers=markers)
    assert noted_way(tmp_path / "out/results.jsonl").markers == markers
    plain = written(tmp_path / "plain.jsonl", [output(0, "\\boxed{1}")])
    with pytest.raises(UserError, match=r'plain.jsonl: .*no response has the marker "<r>" or "</r>"'):
        score("gsm8k", golds, plain, tmp_path / "plain/results.jsonl", markers=markers, partial=True)
    assert not (tmp_path / "plain").exists()
    with pytest.warns(UnusedMarkersWarning, match='plain.jsonl: no response has the marker "<r>"'):
        score("gsm8k", golds, plain, markers=markers, markers_optional=True, partial=True)
    score("gsm8k", golds, plain, markers=Markers("<think>", "</think>"), partial=True)
    with pytest.raises(UserError, match="same marker"):
        Markers("<r>", "<r>")
    with pytest.raises(UserError, match="expected text that is not empty"):
        Markers("", "<r>")


@pytest.mark.parametrize("options", [{"any_format": True}, {"answer_key": "A:"}])
def test_options_that_exclude_each_other(options):
    with pytest.raises(UserError, match="cannot be combined"):
        scoring_rule(get_task("gsm8k"), extraction="boxed", **options)


def test_an_answer_key_replaces_the_tasks_own():
    assert score_response("math", "Answer: 5\nDone.", "5", answer_key="Answer:", extraction="auto").result


ANSWERS = [
    ("<think>3</think>So \\boxed{\\frac{1}{2}} of it", "0.5"),
    ("It is $x = 5$.", "5"),
    ("so 18 dollars", "18"),
    ("$\\{1, 2\\}$", "\\{2,1\\}"),
    ("The set is \\boxed{\\{1,2,3\\}}", "\\{1,2,3\\}"),
    ("\\boxed{1,234}", "1234"),
    ("\\boxed{}", "1"),
    ("<think>\\boxed{1}", "1"),
    ("nothing", "1"),
    ("", "1"),
    ("It is \\boxed{3}. " + "Long text. " * 200, "$3$"),
]


def test_math_verify_decides_as_it_does_when_called_directly():
    responses, golds = zip(*ANSWERS, strict=True)
    scored = score_responses("math", responses, golds, "math-verify", extraction="auto")
    direct = [
        verify(
            parse(answer if "$" in answer else f"${answer}$"),
            parse("" if response == "<think>\\boxed{1}" else response.rpartition("</think>")[2]),
        )
        for response, answer in ANSWERS
    ]
    assert [each.result for each in scored] == direct
    assert {True, False} == {*direct}
    assert scored[0].pred == r"\frac{1}{2}"


def test_math_verify_without_a_way_gets_the_published_answer():
    assert not score_response("math", "It is \\boxed{5}.", "5", "math-verify").result
    assert score_response("math", "It is \\boxed{5}.", "5", "math-verify", extraction="boxed").result


def test_modes_are_compared_with_the_same_way(tmp_path):
    golds = written(tmp_path / "golds.jsonl", [gold("0.5")])
    responses = written(tmp_path / "output.jsonl", [output(0, "It is \\boxed{0.50}")])
    assert compare_modes(
        "gsm8k", golds, responses, ["published", "math-verify"], extraction="auto"
    ).right == (0, 1)


def test_many_responses_are_searched_by_workers_in_order(monkeypatch):
    monkeypatch.setattr(rule_module, "_ONE_PROCESS", 1_000)
    monkeypatch.setattr(rule_module, "_CHUNK", 500)
    responses = [f"{'so ' * 30}\\boxed{{{number}}}" for number in range(40)]
    rule = scoring_rule(get_task("gsm8k"), extraction="auto")
    assert [found.pred for found in rule.find(responses, workers=2)] == [str(number) for number in range(40)]
    slow = scoring_rule(get_task("gsm8k"), extraction="regex:((?:a*)*)$")
    monkeypatch.setattr("w2s_factory.answers.extraction.REGEX_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"^row 32: .*over 0.2 seconds"):
        slow.find(["b" * 90] * 31 + ["a" * 5000 + "b"], workers=2)


def seeds(folder, *responses, way="auto", mode="published", golds="1", **more):
    """Scored samples of one question, a seed for each response."""
    gold_file = written(folder / "golds.jsonl", [gold(golds)])
    for seed, response in enumerate(responses):
        source = written(folder / f"made{seed}.jsonl", [output(0, response, **more)])
        score("gsm8k", gold_file, source, folder / f"t1.0/seed{seed}/results.jsonl", mode, extraction=way)
    return folder / "t1.0"


def test_unclosed_thinking_and_failed_requests_never_vote(tmp_path):
    folder = seeds(tmp_path, UNCLOSED, UNCLOSED, "It is \\boxed{5}")
    summary = vote(folder, tmp_path / "votes.jsonl")
    [row] = rows_of(tmp_path / "votes.jsonl")
    assert (row["confidence"], [each["pred"] for each in row["pos_responses"]]) == (1 / 3, ["5"])
    assert [each["pred"] for each in row["neg_responses"]] == ["", ""]
    assert summary.unanswered == 2
    assert last_facts(tmp_path / "votes.jsonl")["extract"] == "auto"
    [pass_at] = evaluate([folder], pass_at=3).results
    assert (pass_at["pass_at_k"], pass_at["maj_at_k"]) == (0, 0)
    failed = seeds(tmp_path / "failed", "", "", way="published", error="HTTP 400")
    [row] = vote(failed).to_frame().to_dict("records")
    assert (row["confidence"], len(row["pos_responses"]), row["neg_responses"]) == (0.0, 2, [])
    assert evaluate([failed], pass_at=2).results[0]["maj_at_k"] == 0


def test_answers_missing_for_other_reasons_vote_as_published(tmp_path):
    folder = seeds(tmp_path, "none", "none", "#### 1", way="published")
    assert vote(folder).to_frame()["confidence"].tolist() == [2 / 3]


def test_seeds_scored_in_different_ways_are_refused_without_a_way(tmp_path):
    folder = seeds(tmp_path, "It is \\boxed{1}", "It is \\boxed{1}")
    score(
        "gsm8k",
        tmp_path / "golds.jsonl",
        tmp_path / "made1.jsonl",
        folder / "seed1/results.jsonl",
        force=True,
    )
    with pytest.raises(
        UserError, match=r"seed1/results.jsonl: was scored in another way \(extract published\)"
    ):
        vote(folder, tmp_path / "votes.jsonl")
    assert not (tmp_path / "votes.jsonl").exists()
    with pytest.raises(UserError, match=r'field "--task": is needed'):
        vote(folder, extraction="auto")
    [row] = vote(folder, task="gsm8k", extraction="auto").to_frame().to_dict("records")
    assert row["confidence"] == 1
    assert [each["result"] for each in row["pos_responses"]] == [True, True]


def test_votes_by_math_verify_join_the_first_equal_answer(tmp_path):
    samples = ("\\boxed{0.5}", "\\boxed{\\frac{1}{2}}", "\\boxed{3}")
    folder = seeds(tmp_path, *samples, golds="0.5")
    unknown = [[{**output(0, sample), "pred": ""}] for sample in samples]
    [row] = vote(unknown, task="math", extraction="auto", mode="math-verify").to_frame().to_dict("records")
    assert [each["pred"] for each in row["pos_responses"]] == ["0.5", "\\frac{1}{2}"]
    same = seeds(tmp_path / "same", *samples, golds="0.5", mode="math-verify")
    [row] = vote(same, task="math", extraction="auto", mode="math-verify").to_frame().to_dict("records")
    assert [each["result"] for each in row["pos_responses"]] == [True, True]
    scored = tmp_path / "scored"
    seeds(scored, "It is 0.50", "\\boxed{\\frac{1}{2}}", "\\boxed{3}", golds="0.5", mode="math-verify")
    [row] = vote(scored / "t1.0", tmp_path / "votes.jsonl", task="gsm8k").output.read_text().splitlines()
    assert json.loads(row)["confidence"] == 2 / 3
    assert last_facts(tmp_path / "votes.jsonl")["mode"] == "math-verify"
    assert evaluate([scored / "t1.0"], pass_at=3, task="gsm8k").results[0]["maj_at_k"] == 1
    assert evaluate([scored / "t1.0"], pass_at=3).results[0]["maj_at_k"] == 1
    [by_text] = vote(folder, task="math", extraction="auto").to_frame().to_dict("records")
    assert len(by_text["pos_responses"]) == 1


@pytest.mark.parametrize("mode", ["published", "symbolic", "math-verify"])
def test_one_equality_for_pairs_of_answers(mode):
    rule = scoring_rule(get_task("math"), mode, extraction="auto")
    texts = [rule.compared(found) for found in rule.find(["\\boxed{0.5}", "\\boxed{\\frac{1}{2}}", UNCLOSED])]
    same = rule.equality([(texts[0], texts[1]), (texts[0], texts[2])])
    assert same(texts[0], texts[1]) is (mode != "published")
    assert not same(texts[0], texts[2])
