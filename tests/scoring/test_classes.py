"""Classes of equal answers: by their first member, in seed order, whatever the task calls equal."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import get_task, vote
from w2s_factory.scoring.classes import classes

OLYMPIC, GSM8K = get_task("olympic_arena"), get_task("gsm8k")


def test_equal_numbers_are_one_class_named_by_the_first():
    samples = [["0.5", r"\frac{1}{2}", "3", "", "", "1/2"], ["A", "A: yes", "B"], []]
    assert classes(OLYMPIC, samples) == [["0.5", "0.5", "3", "", "", "0.5"], ["A", "A", "B"], []]


def test_the_first_member_is_the_gold():
    assert classes(OLYMPIC, [["A: yes", "A"]]) == [["A: yes", "A"]]  # the other way round they are equal


@given(st.lists(st.lists(st.sampled_from(["", "1", "2", "x"]))))
def test_where_text_decides_every_text_is_its_own_class(samples):
    assert classes(GSM8K, samples) == samples


def test_a_vote_counts_classes(tmp_path):
    for seed, pred in enumerate(["3", "0.5", r"\frac{1}{2}"]):
        (tmp_path / f"seed{seed}").mkdir()
        row = {
            "id": "Math_1",
            "prompt": "p",
            "response": f"r{seed}",
            "pred": pred,
            "gold": "",
            "result": False,
        }
        (tmp_path / f"seed{seed}" / "results.jsonl").write_text(json.dumps(row) + "\n")
    vote(tmp_path, tmp_path / "text.jsonl")
    vote(tmp_path, tmp_path / "judged.jsonl", task=OLYMPIC)
    by_text, judged = (json.loads((tmp_path / f"{name}.jsonl").read_text()) for name in ("text", "judged"))
    assert [sample["pred"] for sample in by_text["pos_responses"]] == ["3"]
    assert [sample["pred"] for sample in judged["pos_responses"]] == ["0.5", r"\frac{1}{2}"]
    assert judged["confidence"] == 2 / 3
