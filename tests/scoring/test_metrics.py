"""Intervals and estimators against known values and brute force."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import (
    UserError,
    majority,
    paired_bootstrap,
    pass_at_k,
    performance_gap_recovered,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [  # computed with scipy.stats.binomtest(right, total).proportion_ci(method="wilson")
        (0, 10, 0.0, 0.2775327998628892),
        (10, 10, 0.7224672001371106, 1.0),
        (5, 10, 0.23659309051256983, 0.7634069094874303),
        (2896, 7000, 0.4022273842327408, 0.4252958389723425),
        (1, 1, 0.20654931437723745, 1.0),
    ],
)
def test_wilson(right, total, low, high):
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=1e-12)


def test_wilson_equals_scipy():
    stats = pytest.importorskip("scipy.stats")
    for right, total in [(0, 1), (3, 7), (99, 100), (500, 1319)]:
        interval = stats.binomtest(right, total).proportion_ci(0.9, method="wilson")
        assert wilson_interval(right, total, 0.9) == pytest.approx((interval.low, interval.high), abs=1e-12)


@pytest.mark.parametrize(("right", "total"), [(0, 0), (2, 1), (-1, 5)])
def test_no_share(right, total):
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(right, total)


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.data())
def test_pass_at_k_is_the_mean_over_all_draws(results, data):
    k = data.draw(st.integers(1, len(results)))
    draws = [any(draw) for draw in combinations(results, k)]
    assert pass_at_k(len(results), sum(results), k) == pytest.approx(sum(draws) / len(draws))


@pytest.mark.parametrize(("samples", "right", "k"), [(3, 1, 4), (3, 4, 1), (3, 1, 0)])
def test_no_pass_at_k(samples, right, k):
    with pytest.raises(ValueError, match="no pass@"):
        pass_at_k(samples, right, k)


def test_performance_gap_recovered():
    assert performance_gap_recovered(0.5, 0.25, 0.75) == 0.5
    assert performance_gap_recovered(0.2, 0.25, 0.75) == pytest.approx(-0.1)
    with pytest.raises(UserError, match=r"no gap to recover: weak floor and strong ceiling are both 0\.3000"):
        performance_gap_recovered(0.5, 0.3, 0.3)


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        (["1"], "1"),
        (["2", "1", "1"], "1"),
        (["2", "1", "1", "2"], "2"),
        (["", "", "1"], ""),
        (["1", ""], "1"),
    ],
)
def test_majority_with_ties_to_the_first(predictions, expected):
    assert majority(predictions) == expected


def test_paired_bootstrap():
    first, second = [True] * 50 + [False] * 50, [True] * 70 + [False] * 30
    value, low, high = paired_bootstrap(first, second)
    assert value == 0.2
    # the sampling distribution of the mean of 20 ones and 80 zeros: 0.2 +- 1.96 * 0.04
    assert (low, high) == pytest.approx((0.2 - 0.0784, 0.2 + 0.0784), abs=0.011)
    assert paired_bootstrap(first, second) == (value, low, high)
    assert paired_bootstrap(first, first) == (0, 0, 0)
    back = paired_bootstrap(second, first)
    assert back.value == -value
    assert (back.low, back.high) == pytest.approx((-high, -low), abs=0.011)


def test_bootstrap_needs_pairs():
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_bootstrap([True], [True, False])
