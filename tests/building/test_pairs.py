"""Votes become pairs as published, draw by draw."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.building.pairs import (
    EMPTY,
    NO_MINORITY,
    NOT_SURE_ENOUGH,
    UNSURE,
    WeakAnswer,
    draw_chosen,
    draw_rejected,
    judge_votes,
    majority_answer,
)
from w2s_factory.errors import UserError
from w2s_factory.quantities import PairRules


def sample(text: str, pred: str = "1"):
    return {"response": text, "pred": pred, "result": pred == "1"}


def vote(confidence: float, majority: str = "1", positives: int = 6, negatives: int = 4):
    return {
        "id": 0,
        "prompt": "Question: ?\nAnswer:",
        "gold": "1",
        "pos_responses": [sample(f"+{n}", majority) for n in range(positives)],
        "neg_responses": [sample(f"-{n}", f"other{n}") for n in range(negatives)],
        "confidence": confidence,
    }


def judged(pred: str, ballot, **rules):
    weak = WeakAnswer(ballot["prompt"], "weak", pred, pred, None)
    same = lambda weak, vote: weak.compared == majority_answer(vote)  # noqa: E731
    (one,) = judge_votes([(weak, ballot)], PairRules(**rules), same)
    return one


DECISIONS = [
    ("1", vote(0.59), None, UNSURE),
    ("1", vote(0.6), "chosen", None),
    ("2", vote(0.79), None, NOT_SURE_ENOUGH),
    ("2", vote(0.8), "rejected", None),
    ("", vote(0.8), "rejected", None),
    ("", vote(0.9, majority=""), None, EMPTY),
    ("1", vote(1.0, positives=10, negatives=0), None, NO_MINORITY),
]


@pytest.mark.parametrize(("pred", "ballot", "side", "skipped"), DECISIONS)
def test_what_becomes_of_a_question(pred, ballot, side, skipped):
    one = judged(pred, ballot)
    assert (one.weak_side, one.skipped) == (side, skipped)
    pairs = list(one.pairs())
    assert len(pairs) == (side is not None)
    for pair in pairs:
        assert (pair["output"][0] == "weak") == (side == "chosen")
        assert (pair["instruction"], pair["input"]) == (ballot["prompt"], "")


def test_a_single_pair_is_drawn_even_from_one():
    """The draw moves the generator on: what follows depends on it."""
    generator = random.Random(42)
    draw_rejected([sample("only")], 1, generator)
    assert generator.getstate() != random.Random(42).getstate()


def test_several_pairs_take_a_small_pool_whole_and_undrawn():
    generator = random.Random(42)
    pool = [sample(str(n)) for n in range(3)]
    assert draw_rejected(pool, 3, generator) == pool
    assert generator.getstate() == random.Random(42).getstate()


@given(texts=st.lists(st.sampled_from("abc"), min_size=1), most=st.integers(1, 4), seed=st.integers(0, 99))
def test_chosen_responses_differ_from_the_drawn_one_and_follow_in_order(texts, most, seed):
    pool = [sample(text) for text in texts]
    first, *others = draw_chosen(pool, most, random.Random(seed))
    expected = [one for one in pool if one["response"] != first["response"]][: most - 1]
    assert first in pool
    assert others == expected


def test_dropping_duplicates_keeps_the_first_of_each_text_and_the_draws():
    ballot = vote(0.8, negatives=0)
    ballot["pos_responses"] = [sample(text) for text in "abbcc"]
    whole = [pair["output"][0] for pair in judged("2", ballot, pairs_per_question=5).pairs()]
    dropped = judged("2", ballot, pairs_per_question=5, drop_duplicates=True).pairs()
    assert [pair["output"][0] for pair in dropped] == list(dict.fromkeys(whole))
    assert len(whole) > len(set(whole))


@pytest.mark.parametrize(
    ("rules", "option"),
    [
        ({"min_confidence": 1.1}, "min_confidence"),
        ({"negative_confidence": -0.1}, "negative_confidence"),
        ({"pairs_per_question": 0}, "pairs_per_question"),
    ],
)
def test_rules_out_of_range_name_the_option(rules, option):
    with pytest.raises(UserError, match=option):
        PairRules(**rules)


def test_a_negative_confidence_below_the_least_one_is_refused():
    with pytest.raises(
        UserError, match=r'"negative_confidence": expected at least min_confidence \(0.9\), got 0.8'
    ):
        PairRules(min_confidence=0.9)
    assert PairRules(min_confidence=0.8, negative_confidence=0.8)
