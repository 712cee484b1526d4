"""Pools of a question's samples from which chosen and rejected ones are drawn: by consistency, or by gold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from w2s_factory.building.pairs import ALIKE, EMPTY, UNSURE, majority_answer
from w2s_factory.building.voted_samples import samples_of

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from w2s_factory.building.voted_samples import VotedSamples
    from w2s_factory.quantities import PairDraws

UNTRAINABLE: Final = "no response with the majority answer can be trained on"
UNANIMOUS: Final = "all samples that have an answer agree"
TIED: Final = "no answer is less frequent than the majority's"
NO_GOLD: Final = "the gold answer is not known"
NONE_RIGHT: Final = "no sample is right"
NONE_WRONG: Final = "no sample is wrong"

CONSISTENCY_SKIPPED: Final = (UNSURE, EMPTY, UNANIMOUS, TIED)
"""The reasons why a question gives no consistency pair, in the order in which they are checked.

`UNTRAINABLE` is checked after the first two, `ALIKE` last; they are counted only where they occur.
"""

GOLD_SKIPPED: Final = (NONE_RIGHT, NONE_WRONG)
"""The reasons why a question gives no gold pair.

`NO_GOLD` is checked first, `ALIKE` last; they are counted only where they occur.
"""


class Pools(NamedTuple):
    """The samples of a question from which each side of its pairs is drawn, by their numbers."""

    chosen: list[int]
    rejected: list[int]


def consistency_pools(voted: VotedSamples, min_confidence: float) -> Pools | str:
    """Return the samples with the most frequent answer and those with the least frequent one.

    Both sides are as in ScPO (Prasad et al. 2024, arXiv 2411.04109), which keeps a question if enough samples
    gave its most frequent answer. Where several answers are the least frequent, all their samples are in the
    pool. Samples without an answer are in no pool. An answer as frequent as the majority's is not rejected:
    ScPO weights a pair by the difference of both frequencies, which is 0 there.

    Returns:
        The pools, or the reason why the question gives no pair.
    """
    if voted.vote["confidence"] < min_confidence:
        return UNSURE
    if majority_answer(voted.vote) == "":
        return EMPTY
    chosen = voted.trainable(voted.majority)
    if not chosen:
        return UNTRAINABLE
    classes: dict[str, list[int]] = {}
    for number in voted.trainable(range(len(voted.answers))):
        classes.setdefault(voted.answers[number], []).append(number)
    majority = {voted.answers[number] for number in voted.majority}
    others = [samples for answer, samples in classes.items() if answer and answer not in majority]
    if not others:
        return UNANIMOUS
    fewest = min(map(len, others))
    if fewest >= len(voted.majority):
        return TIED
    rejected = sorted(number for samples in others if len(samples) == fewest for number in samples)
    return _unlike(Pools(chosen, rejected), voted)


def gold_pools(voted: VotedSamples) -> Pools | str:
    """Return the right samples and the wrong ones by their verdicts, or why the question gives no pair."""
    samples = samples_of(voted.vote)
    verdicts = [samples[number].get("result") for number in range(len(samples))]
    if None in verdicts:
        return NO_GOLD
    trainable = voted.trainable(range(len(samples)))
    pools = Pools(
        [number for number in trainable if verdicts[number] is True],
        [number for number in trainable if verdicts[number] is False],
    )
    if not pools.chosen:
        return NONE_RIGHT
    return _unlike(pools, voted) if pools.rejected else NONE_WRONG


def _unlike(pools: Pools, voted: VotedSamples) -> Pools | str:
    """Return pools without the rejected samples that have the text of a chosen one.

    Without the thinking, two responses may have the same text, which teaches nothing.
    """
    texts = {voted.texts[number] for number in pools.chosen}
    rejected = [number for number in pools.rejected if voted.texts[number] not in texts]
    return Pools(pools.chosen, rejected) if rejected else ALIKE


def draw_pairs(
    pools: Pools, texts: Sequence[str | None], draws: PairDraws, generator: random.Random
) -> list[tuple[int, int]]:
    """Return pairs of the numbers of a chosen and a rejected sample; no sample is in two pairs.

    All chosen samples are drawn first, then the rejected ones: as many as wanted, or as the smaller pool has.
    Duplicates are dropped after drawing, so that the draws are the same as without.
    """
    number = min(draws.pairs_per_question, len(pools.chosen), len(pools.rejected))
    chosen, rejected = (generator.sample(pool, number) for pool in pools)
    pairs = list(zip(chosen, rejected, strict=True))
    if not draws.drop_duplicates:
        return pairs
    firsts: dict[tuple[str | None, ...], tuple[int, int]] = {}
    for pair in pairs:
        firsts.setdefault(tuple(texts[number] for number in pair), pair)
    return list(firsts.values())
