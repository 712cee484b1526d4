"""Classes of equal answers: by their first member, in seed order, whatever the task calls equal."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import evaluate, get_task, vote
from w2s_factory.answers.limits import Verdict
from w2s_factory.scoring.answer_classes import AnswerClasses

OLYMPIC, GSM8K = get_task("olympic_arena"), get_task("gsm8k")


def test_equal_numbers_are_one_class_named_by_the_first():
    samples = [["0.5", r"\frac{1}{2}", "3", "", "", "1/2"], ["A", "A: yes", "B"], []]
    assert AnswerClasses(OLYMPIC).firsts(samples) == [["0.5", "0.5", "3", "", "", "0.5"], ["A", "A", "B"], []]


def test_the_first_member_is_the_reference():
    assert AnswerClasses(OLYMPIC).firsts([["A: yes", "A"]]) == [
        ["A: yes", "A"]
    ]  # the other way round they are equal


@given(st.lists(st.lists(st.sampled_from(["", "1", "2", "x"]))))
def test_where_text_decides_every_text_is_its_own_class(samples):
    assert AnswerClasses(GSM8K).firsts(samples) == samples


def sampled_run(folder, **scored):
    for seed, pred in enumerate(["3", "0.5", r"\frac{1}{2}"]):
        (folder / f"seed{seed}").mkdir()
        row = {"id": "Math_1", "prompt": "p", "response": f"r{seed}", "pred": pred, **scored}
        if scored:
            row["result"] = pred != "3"
        (folder / f"seed{seed}" / "results.jsonl").write_text(json.dumps(row) + "\n")


def test_a_vote_counts_classes(tmp_path):
    sampled_run(tmp_path)
    vote(tmp_path, tmp_path / "text.jsonl")
    vote(tmp_path, tmp_path / "judged.jsonl", task=OLYMPIC)
    by_text, judged = (json.loads((tmp_path / f"{name}.jsonl").read_text()) for name in ("text", "judged"))
    assert [sample["pred"] for sample in by_text["pos_responses"]] == ["3"]
    assert [sample["pred"] for sample in judged["pos_responses"]] == ["0.5", r"\frac{1}{2}"]
    assert judged["confidence"] == 2 / 3


def test_a_vote_without_golds_says_so(tmp_path):
    sampled_run(tmp_path)
    summary = vote(tmp_path, tmp_path / "votes.jsonl", task=OLYMPIC)
    assert (summary.known, summary.right, summary.limits) == (0, 0, 0)
    row = json.loads((tmp_path / "votes.jsonl").read_text())
    assert row["gold"] == ""
    assert [sample.keys() for sample in row["pos_responses"]] == [{"response", "pred"}] * 2


def test_the_majority_of_maj_at_k_is_the_tasks(tmp_path):
    sampled_run(tmp_path, gold="0.5")
    by_text, judged = (evaluate([tmp_path], pass_at=3, task=task).results[0] for task in (None, OLYMPIC))
    assert (by_text["maj_at_k"], judged["maj_at_k"]) == (0.0, 1.0)
    assert by_text["pass_at_k"] == judged["pass_at_k"] == 1.0


def test_comparisons_ended_by_a_limit_are_counted(monkeypatch):
    ended = {("2", "1"): Verdict(False, "time")}
    monkeypatch.setattr(
        "w2s_factory.scoring.answer_classes.decide", lambda pairs, how: {one: ended[one] for one in pairs}
    )
    classes = AnswerClasses(OLYMPIC)
    assert classes.firsts([["1", "2"], ["1", "2"]]) == [["1", "2"], ["1", "2"]]
    assert classes.limits == 1
