"""Intervals and estimators against known values and brute force."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
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


WRONG = [
    (wilson_interval, (0, 0), 'field "total": expected a whole number from 1 to'),
    (wilson_interval, (2, 1), r'field "right": expected at most total \(1\), got 2'),
    (wilson_interval, (-1, 5), 'field "right": expected a whole number from 0 to'),
    (wilson_interval, (0.5, 1), 'field "right": expected a whole number'),
    (wilson_interval, (1, math.inf), 'field "total": expected a whole number'),
    (wilson_interval, ("1", 2), 'field "right": expected a whole number'),
    (pass_at_k, (3, 1, 4), r'field "k": expected at most samples \(3\), got 4'),
    (pass_at_k, (3, 4, 1), r'field "right": expected at most samples \(3\), got 4'),
    (pass_at_k, (3, 1, 0), 'field "k": expected a whole number from 1'),
    (pass_at_k, (3.0, 1, 1), 'field "samples": expected a whole number'),
    (pass_at_k, (3, None, 1), 'field "right": expected a whole number'),
    (performance_gap_recovered, (math.nan, 0.2, 0.4), 'field "method": expected a number from 0 to 1'),
    (performance_gap_recovered, (0.3, "0.2", 0.4), 'field "floor": expected a number from 0 to 1'),
    (performance_gap_recovered, (0.3, 0.2, math.inf), 'field "ceiling": expected a number from 0 to 1'),
    (performance_gap_recovered, (0.3, 0.2, 40), 'field "ceiling": expected a number from 0 to 1'),
    (paired_bootstrap, ([True], [True, False]), r'field "second": expected as many .*\(1\), got 2'),
    (paired_bootstrap, ([], []), 'field "first": expected at least one result'),
    (paired_bootstrap, (5, [True]), r'field "first": expected a list of results, got 5 \(int\)'),
    (paired_bootstrap, ("ab", [True]), 'field "first": expected a list of results'),
    (
        paired_bootstrap,
        ([True, True], [True, None]),
        'row 2: field "second": expected True or False, got None',
    ),
    (paired_bootstrap, ([0.5], [True]), 'row 1: field "first": expected True or False'),
]


@pytest.mark.parametrize(("function", "arguments", "message"), WRONG)
def test_wrong_numbers_are_refused_by_name(function, arguments, message):
    with pytest.raises(UserError, match=f"^{message}"):
        function(*arguments)


def test_numpy_numbers_are_numbers():
    assert wilson_interval(np.int64(5), np.int64(10)) == wilson_interval(5, 10)
    assert pass_at_k(np.int64(5), np.int32(2), np.int64(3)) == pass_at_k(5, 2, 3)
    assert performance_gap_recovered(np.float64(0.5), np.float32(0.25), 0.75) == 0.5
    first, second = [True, False, False], [True, True, False]
    assert paired_bootstrap(np.array(first), np.array(second)) == paired_bootstrap(first, second)


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.data())
def test_pass_at_k_is_the_mean_over_all_draws(results, data):
    k = data.draw(st.integers(1, len(results)))
    draws = [any(draw) for draw in combinations(results, k)]
    assert pass_at_k(len(results), sum(results), k) == pytest.approx(sum(draws) / len(draws))


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
