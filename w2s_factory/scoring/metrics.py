"""Measures: intervals of shares, pass@k, avg@k, the performance gap recovered (PGR), paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import comb, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from annotated_types import Ge, Gt, Le, Lt

from w2s_factory.errors import UserError, shown
from w2s_factory.quantities import Samples
from w2s_factory.ranges import Share, check
from w2s_factory.records import plain_value

if TYPE_CHECKING:
    from collections.abc import Sequence

Count: TypeAlias = Annotated[int, Ge(0), Le(10**12)]
"""A number of questions or samples, of some that are counted."""

Total: TypeAlias = Annotated[int, Ge(1), Le(10**12)]
"""The number of all of them; there is no share of none."""

IntervalConfidence: TypeAlias = Annotated[float, Gt(0), Lt(1)]
"""The share of intervals that hold the true value."""

_RESAMPLES = 10_000
_SEED = 42


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Difference(NamedTuple):
    """The accuracy of one model, or that less another's, with its confidence interval."""

    value: float
    low: float
    high: float


def wilson_interval(right: Count, total: Total, confidence: IntervalConfidence = 0.95) -> Interval:
    """Return the Wilson score interval (1927) of a share: `right` of `total`.

    Args:
        right: The number that counts.
        total: The number of all.
        confidence: The share of such intervals that hold the true share.

    Raises:
        UserError: `total` is below 1, `right` is above `total`, or `confidence` is not between 0 and 1.
    """
    check(confidence, IntervalConfidence, "confidence")
    check(total, Total, "total")
    _check_within(right, "right", total, "total")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = right / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return Interval(0.0 if right == 0 else middle - half, 1.0 if right == total else middle + half)


def pass_at_k(samples: Samples, right: Count, k: Samples) -> float:
    """Return the probability that at least one of k samples is right, of `samples` of which `right` are.

    This is the unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1):
    `1 - C(n-c, k) / C(n, k)`.

    Raises:
        UserError: There are fewer than k samples, or `right` is above `samples`.
    """
    check(samples, Samples, "samples")
    check(k, Samples, "k")
    _check_within(right, "right", samples, "samples")
    _check_within(k, "k", samples, "samples")
    return 1 - comb(samples - right, k) / comb(samples, k)


def performance_gap_recovered(method: Share, floor: Share, ceiling: Share) -> float:
    """Return the PGR of accuracies (Burns et al. 2023).

    PGR = (method - weak floor) / (strong ceiling - weak floor).

    Raises:
        UserError: An accuracy is not a number from 0 to 1, or floor and ceiling are equal.
    """
    for field, accuracy in (("method", method), ("floor", floor), ("ceiling", ceiling)):
        check(accuracy, Share, field)
    if floor == ceiling:
        raise UserError(
            f"no gap to recover: weak floor and strong ceiling are both {floor:.4f}",
            hint="PGR needs a strong ceiling that differs from the weak floor",
        )
    return (method - floor) / (ceiling - floor)


def paired_bootstrap(
    first: Sequence[bool], second: Sequence[bool], confidence: IntervalConfidence = 0.95
) -> Difference:
    """Return the accuracy of `second` less that of `first` on the same questions, with a bootstrap interval.

    Questions are drawn with replacement 10,000 times, with seed 42. Only the numbers of questions that are
    won, lost and tied matter, so these are drawn, which gives the same distribution.

    Args:
        first: The verdicts on the first model's responses.
        second: The verdicts on the second model's responses, in the same order of questions.
        confidence: The share of such intervals that hold the true difference.

    Raises:
        UserError: The two differ in length or are empty, a verdict is not true or false, or `confidence` is
            not between 0 and 1.
    """
    check(confidence, IntervalConfidence, "confidence")
    first, second = _verdicts(first, "first"), _verdicts(second, "second")
    import numpy as np  # noqa: PLC0415  heavy

    total = len(first)
    if total != len(second):
        problem = f"expected as many results as in first ({total:,}), got {len(second):,}"
        raise UserError(problem, field="second", hint="Results are paired by position")
    change = np.asarray(second, dtype=int) - np.asarray(first, dtype=int)
    counts = [int((change == value).sum()) for value in (-1, 0, 1)]
    shares = [count / total for count in counts]
    draws = np.random.default_rng(_SEED).multinomial(total, shares, size=_RESAMPLES)
    tail = (1 - confidence) / 2
    low, high = np.quantile((draws[:, 2] - draws[:, 0]) / total, [tail, 1 - tail])
    return Difference((counts[2] - counts[0]) / total, float(low), float(high))


def bootstrap_mean(values: Sequence[float], confidence: IntervalConfidence = 0.95) -> Difference:
    """Return the mean of one value for each question, with a bootstrap interval over the questions.

    For avg@k the values are the shares of right samples, or the differences of two models' shares. Samples of
    one question are not independent of each other, so questions are drawn, with all their samples: with
    replacement, 10,000 times, with seed 42. If all values are 0, or all are 1, the interval is Wilson's.

    Args:
        values: A number for each question.
        confidence: The share of such intervals that hold the true mean.

    Raises:
        UserError: There are no values, or `confidence` is not between 0 and 1.
    """
    check(confidence, IntervalConfidence, "confidence")
    import numpy as np  # noqa: PLC0415  heavy

    kinds, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    total = int(counts.sum())
    if total == 0:
        raise UserError("expected at least one value", field="values")
    if len(kinds) == 1 and kinds[0] in (0.0, 1.0):
        interval = wilson_interval(round(float(kinds[0])) * total, total, confidence)
        return Difference(float(kinds[0]), *interval)
    draws = np.random.default_rng(_SEED).multinomial(total, counts / total, size=_RESAMPLES)
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws @ kinds / total, [tail, 1 - tail])
    return Difference(float(np.mean(values)), float(low), float(high))


def _check_within(count: int, field: str, whole: int, of: str) -> None:
    """Check that a number is a count and not larger than the whole.

    Raises:
        UserError: It is not a count or is larger; names the field.
    """
    check(count, Count, field)
    if count > whole:
        raise UserError(f"expected at most {of} ({whole:,}), got {count:,}", field=field)


def _verdicts(values: Any, field: str) -> list[bool]:
    """Return verdicts as a list of Python's own True and False.

    Raises:
        UserError: There are none, or one is neither true nor false; names the field and the row.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise UserError(f"expected a list of results, got {shown(values)}", field=field)
    verdicts = [plain_value(value) for value in values]
    if not verdicts:
        raise UserError("expected at least one result", field=field)
    for row, verdict in enumerate(verdicts, 1):
        if not (isinstance(verdict, (bool, int)) and verdict in (0, 1)):
            raise UserError(f"expected True or False, got {shown(verdict)}", field=field, row=row)
    return verdicts
