"""The numbers of the field: intervals, pass@k, the performance gap recovered, paired differences."""

from __future__ import annotations

from math import comb, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

from annotated_types import Gt, Lt

from w2s_factory.errors import UserError
from w2s_factory.ranges import check

if TYPE_CHECKING:
    from collections.abc import Sequence

IntervalConfidence: TypeAlias = Annotated[float, Gt(0), Lt(1)]
"""The share of intervals that hold the true value."""

_RESAMPLES = 10_000
_SEED = 42


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Difference(NamedTuple):
    """The accuracy of one model less that of another, with its confidence interval."""

    value: float
    low: float
    high: float


def wilson_interval(right: int, total: int, confidence: IntervalConfidence = 0.95) -> Interval:
    """The Wilson score interval (1927) of a share: `right` of `total`.

    Raises:
        ValueError: `total` is not positive, or `right` not within it.
        UserError: `confidence` is not above 0 and below 1.
    """
    check(confidence, IntervalConfidence, "confidence")
    if not 0 <= right <= total or total == 0:
        raise ValueError(f"{right} of {total} is no share")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = right / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return Interval(0.0 if right == 0 else middle - half, 1.0 if right == total else middle + half)


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that one of k samples is right, drawn from `samples` of which `right` are.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1): `1 - C(n-c, k) / C(n, k)`.

    Raises:
        ValueError: There are fewer than k samples, or `right` is not within them.
    """
    if not (0 <= right <= samples and 1 <= k <= samples):
        raise ValueError(f"no pass@{k} of {samples} samples, {right} right")
    return 1 - comb(samples - right, k) / comb(samples, k)


def performance_gap_recovered(method: float, floor: float, ceiling: float) -> float:
    """PGR = (method - weak floor) / (strong ceiling - weak floor), of accuracies (Burns et al. 2023).

    Raises:
        UserError: Floor and ceiling are equal: there is no gap.
    """
    if floor == ceiling:
        raise UserError(
            f"no gap to recover: weak floor and strong ceiling are both {floor:.4f}",
            hint="PGR needs a strong ceiling that differs from the weak floor",
        )
    return (method - floor) / (ceiling - floor)


def paired_bootstrap(
    first: Sequence[bool], second: Sequence[bool], confidence: IntervalConfidence = 0.95
) -> Difference:
    """The accuracy of `second` less that of `first` on the same questions, with a bootstrap interval.

    Questions are drawn with replacement 10,000 times, seed 42. As only how often a question is won, lost
    or tied matters, those counts are drawn: the same distribution.

    Raises:
        ValueError: The two are not of one length, or empty.
        UserError: `confidence` is not above 0 and below 1.
    """
    check(confidence, IntervalConfidence, "confidence")
    import numpy as np  # noqa: PLC0415  heavy

    total = len(first)
    if total != len(second) or total == 0:
        raise ValueError(f"{total} and {len(second)} results cannot be paired")
    change = np.asarray(second, dtype=int) - np.asarray(first, dtype=int)
    counts = [int((change == value).sum()) for value in (-1, 0, 1)]
    shares = [count / total for count in counts]
    draws = np.random.default_rng(_SEED).multinomial(total, shares, size=_RESAMPLES)
    tail = (1 - confidence) / 2
    low, high = np.quantile((draws[:, 2] - draws[:, 0]) / total, [tail, 1 - tail])
    return Difference((counts[2] - counts[0]) / total, float(low), float(high))
