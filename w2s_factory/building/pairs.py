"""Judgement of a weak answer by a vote: preference pairs, or the reason why there are none (Stage II)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from w2s_factory.quantities import PairRules
    from w2s_factory.records import Pair, Sample, Vote

WeakSide: TypeAlias = Literal["chosen", "rejected"]

UNSURE = "no confident majority"
EMPTY = "the majority gives no answer"
NO_MINORITY = "weak agrees, and nobody differs"
NOT_SURE_ENOUGH = "weak differs, and the majority is not confident enough"
SKIPPED = (UNSURE, EMPTY, NO_MINORITY, NOT_SURE_ENOUGH)
"""The reasons why a question gives no pair, in the order in which they are checked."""


@dataclass(frozen=True)
class WeakAnswer:
    """The weak model's response to a question, with its final answer.

    Attributes:
        prompt: The prompt that it answers.
        response: Its text.
        pred: Its final answer.
        result: Whether the answer is right; None if the gold is not known.
    """

    prompt: str
    response: str
    pred: str
    result: bool | None


@dataclass(frozen=True)
class Judged:
    """The judgement of one question: the sampled responses of its pairs, or why it gives none.

    Attributes:
        vote: The question's vote.
        weak: The weak model's response.
        weak_side: The side of each pair that the weak response is on; None if there is no pair.
        others: The sampled response of each pair, which is on the other side.
        skipped: One of `SKIPPED`; None if there are pairs.
    """

    vote: Vote
    weak: WeakAnswer
    weak_side: WeakSide | None = None
    others: tuple[Sample, ...] = ()
    skipped: str | None = None

    def pairs(self) -> Iterator[Pair]:
        """Yield the pairs in the published form."""
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
    """Judge each question in turn, drawing from one generator in the order of the rows (paper, section 3.2).

    Args:
        questions: The weak response and the vote of each question, in the order of the votes.
        rules: The thresholds, the number of pairs and the seed.
        same: A function that says whether the weak answer (first) equals the majority answer (second).
    """
    generator = random.Random(rules.seed)
    for weak, vote in questions:
        yield _judged(weak, vote, rules, same, generator)


def majority_answer(vote: Vote) -> str:
    """Return the answer that most samples gave, as the first of them wrote it."""
    return vote["pos_responses"][0]["pred"]


def _judged(
    weak: WeakAnswer,
    vote: Vote,
    rules: PairRules,
    same: Callable[[str, str], bool],
    generator: random.Random,
) -> Judged:
    """Judge one question, drawing from the generator only if it gives pairs."""
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
    """Return the drawn responses, each text once if duplicates are dropped.

    They are dropped after drawing, so that the draws are the same as without.
    """
    if not rules.drop_duplicates:
        return tuple(drawn)
    texts: dict[str, Sample] = {}
    for sample in drawn:
        texts.setdefault(sample["response"], sample)
    return tuple(texts.values())


def draw_rejected(minority: list[Sample], most: int, generator: random.Random) -> list[Sample]:
    """Return the minority responses that are rejected for a weak response.

    For a single pair one response is always drawn, even from a pool of one: that advances the generator, on
    which every later draw depends. For several pairs a pool that is not larger is taken whole, undrawn.
    """
    if most > 1 and len(minority) <= most:
        return minority
    return generator.sample(minority, most)


def draw_chosen(majority: list[Sample], most: int, generator: random.Random) -> list[Sample]:
    """Return the majority responses that are chosen over a weak response, at most `most`.

    The first is drawn. The others follow in the order of their seeds if their text differs from the drawn
    one; they may equal each other, as in the published sets.
    """
    first = generator.sample(majority, 1)[0]
    others = [sample for sample in majority if sample["response"] != first["response"]]
    return [first, *others[: most - 1]]
