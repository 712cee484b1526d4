"""Preference pairs from a weak response and a vote, or the reason why there is none (release, Stage II)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from w2s_factory.quantities import PairRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from w2s_factory.records import Pair, Sample, Vote

ItemT = TypeVar("ItemT")


def draw_rejected(minority: list[Sample], most: int, generator: random.Random) -> list[Sample]:
    """The minority responses set against a weak response that is right.

    A single pair is always drawn, even from a pool of one: that moves the generator on, and every later
    draw depends on it. For several pairs a pool no larger than asked is taken whole, undrawn.
    """
    if most > 1 and len(minority) <= most:
        return minority
    return generator.sample(minority, most)


def draw_chosen(majority: list[Sample], most: int, generator: random.Random) -> list[Sample]:
    """The majority responses set against a weak response that is wrong.

    One is drawn; the others follow in the order of their seeds where their text differs from the drawn
    one (not from each other: the published sets hold such duplicates), until there are `most`.
    """
    first = generator.sample(majority, 1)[0]
    others = [sample for sample in majority if sample["response"] != first["response"]]
    return [first, *others[: most - 1]]


WeakSide: TypeAlias = Literal["chosen", "rejected"]

UNSURE = "no confident majority"
EMPTY = "the majority gives no answer"
NO_MINORITY = "weak agrees, and nobody differs"
NOT_SURE_ENOUGH = "weak differs, and the majority is not confident enough"
SKIPPED = (UNSURE, EMPTY, NO_MINORITY, NOT_SURE_ENOUGH)
"""Why a question gives no pair, in the order in which it is asked."""


@dataclass(frozen=True)
class WeakAnswer:
    """The weak model's response to a question, with its final answer.

    Attributes:
        prompt: What it answers.
        response: What it wrote.
        pred: Its final answer.
        result: Whether that is right; None where the gold is not at hand.
    """

    prompt: str
    response: str
    pred: str
    result: bool | None


@dataclass(frozen=True)
class Judged:
    """What became of one question: its pairs' other responses, or why there are none.

    Attributes:
        vote: The question's vote.
        weak: The weak model's response.
        weak_side: On which side of each pair the weak response stands; None if there is no pair.
        others: The sampled responses on the other side.
        skipped: One of `SKIPPED`; None if there are pairs.
    """

    vote: Vote
    weak: WeakAnswer
    weak_side: WeakSide | None = None
    others: tuple[Sample, ...] = ()
    skipped: str | None = None

    def pairs(self) -> Iterator[Pair]:
        """The pairs in the published form."""
        for other in self.others:
            sides = [self.weak.response, other["response"]]
            yield {
                "id": self.vote["id"],
                "instruction": self.vote["prompt"],
                "input": "",
                "output": sides if self.weak_side == "chosen" else sides[::-1],
            }


def judge_votes(
    questions: Iterable[tuple[WeakAnswer, Vote]], rules: PairRules, same: Callable[[str, str], bool]
) -> Iterator[Judged]:
    """Judge each question in turn, drawing from one generator in row order (paper, section 3.2).

    Args:
        questions: The weak response and the vote of each question, in the order of the votes.
        rules: Thresholds, number of pairs, seed.
        same: Whether the weak answer (first) is the majority answer (second).
    """
    generator = random.Random(rules.seed)
    for weak, vote in questions:
        yield _judged(weak, vote, rules, same, generator)


def majority_answer(vote: Vote) -> str:
    """The answer most samples gave, as the first of them wrote it."""
    return vote["pos_responses"][0]["pred"]


def _judged(
    weak: WeakAnswer,
    vote: Vote,
    rules: PairRules,
    same: Callable[[str, str], bool],
    generator: random.Random,
) -> Judged:
    majority = majority_answer(vote)
    if vote["confidence"] < rules.min_confidence:
        return Judged(vote, weak, skipped=UNSURE)
    if majority == "":
        return Judged(vote, weak, skipped=EMPTY)
    if same(weak.pred, majority):
        if not vote["neg_responses"]:
            return Judged(vote, weak, skipped=NO_MINORITY)
        drawn = draw_rejected(vote["neg_responses"], rules.pairs_per_question, generator)
        return Judged(vote, weak, "chosen", _kept(drawn, rules))
    if vote["confidence"] < rules.negative_confidence:
        return Judged(vote, weak, skipped=NOT_SURE_ENOUGH)
    drawn = draw_chosen(vote["pos_responses"], rules.pairs_per_question, generator)
    return Judged(vote, weak, "rejected", _kept(drawn, rules))


def _kept(drawn: list[Sample], rules: PairRules) -> tuple[Sample, ...]:
    """The drawn responses; each text once if duplicates are dropped, which is after drawing."""
    if not rules.drop_duplicates:
        return tuple(drawn)
    texts: dict[str, Sample] = {}
    for sample in drawn:
        texts.setdefault(sample["response"], sample)
    return tuple(texts.values())
