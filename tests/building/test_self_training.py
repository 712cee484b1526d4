"""Self-training rows: one response with the majority answer, drawn, to each question that has a confident one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.building.test_sampled_pairs import QUESTIONS, ballot, samples_of
from w2s_factory import UserError
from w2s_factory.building import PromptForm, Recipe, ResponseRule, build_self_training
from w2s_factory.building.pairs import EMPTY, UNSURE
from w2s_factory.building.sample_pools import UNTRAINABLE
from w2s_factory.records import SFT, last_facts, read, write

ANSWERS = ["1111111123", "1111122222", "2222222211", "________12", "1111111111"]


@pytest.fixture
def votes(tmp_path):
    write(tmp_path / "votes.jsonl", [ballot(answers, name) for name, answers in enumerate(ANSWERS)])
    return tmp_path / "votes.jsonl"


GOLDEN = [
    {"id": 0, "content": "Question: 0?\nAnswer:", "output": "sample 1: 1"},
    {"id": 2, "content": "Question: 2?\nAnswer:", "output": "sample 0: 2"},
    {"id": 4, "content": "Question: 4?\nAnswer:", "output": "sample 4: 1"},
]
"""The rows of `ANSWERS` with the seed 42."""


def test_the_files_of_a_tiny_case(votes, tmp_path):
    recipe = Recipe(model="some/model", preset="tiny_lora_sft", version="0.9.5")
    made = build_self_training("gsm8k", votes, tmp_path / "out/self.json", recipe=recipe)
    assert made.built.file.read_bytes() == json.dumps(GOLDEN, indent=4, ensure_ascii=False).encode()
    assert made.counts.skipped == {UNSURE: 1, EMPTY: 1}
    assert (made.counts.questions, made.counts.rows) == (5, 3)
    assert (made.counts.kept.right, made.counts.kept.known) == (2, 3)
    assert last_facts(made.built.file)["rules"] == {"min_confidence": 0.6, "seed": 42}
    assert "dataset: self" in made.built.config.read_text()
    assert len(made.to_frame()) == 3


@pytest.mark.parametrize(
    ("answers", "hint"),
    [("1111122222", "Lower --min-confidence"), ("________12", None), ("____123456", None)],
)
def test_a_lower_threshold_is_advised_only_where_it_helps(answers, hint):
    with pytest.raises(UserError) as caught:
        build_self_training("gsm8k", [ballot(answers, 0)])
    assert caught.value.hint == hint


@settings(max_examples=40)
@given(QUESTIONS, st.sampled_from([0.0, 0.3, 0.6]), st.integers(0, 10**6))
def test_each_row_is_a_majority_sample_of_a_confident_question(questions, least, seed):
    votes = [ballot(answers, name) for name, answers in enumerate(questions)]
    kept = {
        vote["id"]: {one["response"] for one in vote["pos_responses"]}
        for vote in votes
        if vote["confidence"] >= least and vote["pos_responses"][0]["pred"]
    }
    if not kept:
        with pytest.raises(UserError, match="has a confident majority"):
            build_self_training("gsm8k", votes, min_confidence=least, seed=seed)
        return
    made = build_self_training("gsm8k", votes, min_confidence=least, seed=seed)
    rows = [*read(made.built.file, SFT)]
    assert [row["id"] for row in rows] == [*kept]
    assert all(row["output"] in kept[row["id"]] for row in rows)
    again = build_self_training("gsm8k", votes, min_confidence=least, seed=seed)
    assert [*read(again.built.file, SFT)] == rows


def test_the_gold_answers_decide_nothing():
    votes = [ballot(answers, name) for name, answers in enumerate(ANSWERS)]
    known = build_self_training("gsm8k", votes)
    for vote in votes:
        vote["gold"] = ""
        for one in samples_of(vote):
            del one["result"]
    unknown = build_self_training("gsm8k", votes)
    assert [*read(unknown.built.file, SFT)] == [*read(known.built.file, SFT)]
    assert unknown.counts.kept.share is None


def test_chats_and_answers_alone():
    vote = ballot("1112", system="Think.")
    for one in samples_of(vote):
        one["response"] = f"<think>hm</think>{one['pred']}"
    broken = ballot("11", 1, system="Think.")
    for one in samples_of(broken):
        one["response"] = "<think>1 1 1"
    rule = ResponseRule(train_on="answer")
    made = build_self_training("gsm8k", [vote, broken], response_rule=rule)
    assert [*read(made.built.file, SFT)] == [
        {"id": 0, "content": "Question: 0?\nAnswer:", "output": "1", "system": "Think."}
    ]
    assert made.counts.skipped[UNTRAINABLE] == 1
    asked = build_self_training("gsm8k", [vote], prompt_form=PromptForm(chat=False), response_rule=rule)
    assert "system" not in next(read(asked.built.file, SFT))


BAD = [
    ({"min_confidence": 1.5}, "expected a number from 0 to 1"),
    ({"seed": -1}, "seed"),
    ({"min_confidence": 1.0}, "none of 1 questions has a confident majority"),
]


@pytest.mark.parametrize(("options", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_misuse_writes_nothing(tmp_path, options, problem):
    with pytest.raises(UserError, match=problem):
        build_self_training("gsm8k", [ballot("1112")], tmp_path / "out/self.json", **options)
    assert not list((tmp_path / "out").glob("*"))
