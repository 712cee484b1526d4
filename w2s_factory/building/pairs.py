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
UNANSWERED = "the weak model gave no answer: its thinking did not end, or its request failed"
ALIKE = "without the thinking, the two responses have the same text"
NO_MINORITY = "weak agrees, and nobody differs"
NOT_SURE_ENOUGH = "weak differs, and the majority is not confident enough"
SKIPPED = (UNSURE, EMPTY, NO_MINORITY, NOT_SURE_ENOUGH)
"""The reasons why a question gives no pair, in the order in which they are checked.

`UNANSWERED` is checked after the first two, `ALIKE` last; they are counted only where they occur.
"""


@dataclass(frozen=True)
class WeakAnswer:
    """The weak model's response to a question, with its final answer.

    Attributes:
        prompt: The prompt that it answers.
        text: The text of it that is trained on; None if there is none.
        pred: Its final answer.
        compared: The text by which it is compared; empty if it equals nothing.
        result: Whether the answer is right; None if the gold is not known.
    """

    prompt: str
    text: str | None
    pred: str
    compared: str
    result: bool | None


@dataclass(frozen=True)
class Judged:
    """The judgement of one question: the sampled responses of its pairs, or why it gives none.

    Attributes:
        vote: The question's vote.
        weak: The weak model's response.
        weak_side: The side of each pair that the weak response is on; None if there is no pair.
        others: The sampled response of each pair, which is on the other side.
        texts: The text of each of them that is trained on.
        skipped: One of `SKIPPED`, `UNANSWERED` or `ALIKE`; None if there are pairs.
    """

    vote: Vote
    weak: WeakAnswer
    weak_side: WeakSide | None = None
    others: tuple[Sample, ...] = ()
    texts: tuple[str, ...] = ()
    skipped: str | None = None

    def pairs(self) -> Iterator[Pair]:
        """Yield the pairs in the published form, with the system prompt of the votes if they have one."""
        for text in self.texts:
            sides = [self.weak.text or "", text]
            pair: Pair = {
                "id": self.vote["id"],
                "instruction": self.vote["prompt"],
                "input": "",
                "output": sides if self.weak_side == "chosen" else sides[::-1],
            }
            if "system" in self.vote:
                pair["system"] = self.vote["system"]
            yield pair


def judge_votes(
    questions: Iterable[tuple[WeakAnswer, Vote]],
    rules: PairRules,
    same: Callable[[WeakAnswer, Vote], bool],
    text: Callable[[Sample], str | None] = lambda sample: sample["response"],
    *,
    unlike: bool = False,
) -> Iterator[Judged]:
    """Judge each question in turn, drawing from one generator in the order of the rows (paper, section 3.2).

    Args:
        questions: The weak response and the vote of each question, in the order of the votes.
        rules: The thresholds, the number of pairs and the seed.
        same: A function that says whether the weak answer equals the majority answer of the vote.
        text: A function that returns the text of a sample that is trained on, None if there is none; by
            default its response.
        unlike: Whether the sides of a pair must differ in their texts, as parts of responses need not do.
    """
    judge = _Judge(rules, same, text, unlike, random.Random(rules.seed))
    return (judge.judged(weak, vote) for weak, vote in questions)


def majority_answer(vote: Vote) -> str:
    """Return the answer that most samples gave, as the first of them wrote it."""
    return vote["pos_responses"][0]["pred"]


@dataclass(frozen=True)
class _Judge:
    """The judge of all questions, with the one generator that it draws from; see `judge_votes`."""

    rules: PairRules
    same: Callable[[WeakAnswer, Vote], bool]
    text: Callable[[Sample], str | None]
    unlike: bool
    generator: random.Random

    def judged(self, weak: WeakAnswer, vote: Vote) -> Judged:
        """Judge one question, drawing only if it gives pairs."""
        if vote["confidence"] < self.rules.min_confidence:
            return Judged(vote, weak, skipped=UNSURE)
        if majority_answer(vote) == "":
            return Judged(vote, weak, skipped=EMPTY)
        if weak.text is None:
            return Judged(vote, weak, skipped=UNANSWERED)
        agrees = self.same(weak, vote)
        if not agrees and vote["confidence"] < self.rules.negative_confidence:
            return Judged(vote, weak, skipped=NOT_SURE_ENOUGH)
        pool = self._trainable(vote["neg_responses"] if agrees else vote["pos_responses"])
        if not pool:
            return Judged(vote, weak, skipped=NO_MINORITY if agrees else EMPTY)
        others = self._unlike(weak, pool)
        if not others:
            return Judged(vote, weak, skipped=ALIKE)
        draw = draw_rejected if agrees else draw_chosen
        drawn = draw(others, self.rules.pairs_per_question, self.generator)
        return self._paired(weak, vote, "chosen" if agrees else "rejected", drawn)

    def _trainable(self, samples: Iterable[Sample]) -> list[Sample]:
        """Return the samples with a text that can be trained on."""
        return [sample for sample in samples if self.text(sample) is not None]

    def _unlike(self, weak: WeakAnswer, samples: list[Sample]) -> list[Sample]:
        """Return the samples whose text differs from the weak response; equal texts teach nothing."""
        if not self.unlike:
            return samples
        return [sample for sample in samples if self.text(sample) != weak.text]

    def _paired(self, weak: WeakAnswer, vote: Vote, weak_side: WeakSide, drawn: Iterable[Sample]) -> Judged:
        """Return the pairs of the weak response with drawn ones, each text once if duplicates are dropped.

        They are dropped after drawing, so that the draws are the same as without.
        """
        kept = [(self.text(sample) or "", sample) for sample in drawn]
        if self.rules.drop_duplicates:
            firsts: dict[str, Sample] = {}
            for text, sample in kept:
                firsts.setdefault(text, sample)
            kept = list(firsts.items())
        texts, others = tuple(text for text, _ in kept), tuple(sample for _, sample in kept)
        return Judged(vote, weak, weak_side, others, texts)


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
