"""Estimates over questions and repetitions, each with its 95 % interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from w2s_factory.scoring.metrics import Difference, paired_bootstrap, wilson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESAMPLES: Final = 10_000
_SEED: Final = 42


def share_right(right: NDArray[np.bool_]) -> Difference:
    """The accuracy of verdicts (seeds x questions) and its interval.

    One seed: Wilson's. Several: over questions and seeds, see `crossed_bootstrap`; where all verdicts are
    the same there is nothing to resample, and it is Wilson's of the questions.
    """
    seeds, questions = right.shape
    value = float(right.mean())
    if seeds == 1 or value in {0.0, 1.0}:
        return Difference(value, *wilson_interval(round(value * questions), questions))
    return crossed_bootstrap(right.astype(float))


def difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference:
    """The accuracy of `second` less that of `first`: the same seeds and questions, paired.

    One seed: the paired bootstrap of `evaluate`. Several: over questions and seeds.
    """
    if len(first) == 1:
        return paired_bootstrap(first[0].tolist(), second[0].tolist())
    return crossed_bootstrap(second.astype(float) - first.astype(float))


def crossed_bootstrap(values: NDArray[np.float64]) -> Difference:
    """The mean of values (seeds x questions), and the 95 % interval of a bootstrap of both at once.

    Each of 10,000 resamples draws as many questions as there are, and one seed fewer than there are: with
    so few seeds, drawing all of them would make the spread too small by (S - 1) / S (McCarthy and Snowden
    1985). Where seeds differ by no more than chance the interval is too wide rather than too narrow.
    Questions with the same values on all seeds are alike, so only how many of each kind is drawn.
    """
    seeds, questions = values.shape
    kinds, counts = np.unique(values, axis=1, return_counts=True)
    generator = np.random.default_rng(_SEED)
    of_seeds = generator.multinomial(seeds - 1, [1 / seeds] * seeds, size=_RESAMPLES) / (seeds - 1)
    of_kinds = generator.multinomial(questions, counts / questions, size=_RESAMPLES) / questions
    low, high = np.quantile(((of_seeds @ kinds) * of_kinds).sum(axis=1), [0.025, 0.975])
    return Difference(float(values.mean()), float(low), float(high))
