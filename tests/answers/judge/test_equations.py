"""Type EQ: numbers put for the symbols decide only what a simplification would decide the same way."""

from __future__ import annotations

import itertools

import pytest

from w2s_factory.answers.judge import rules
from w2s_factory.answers.judge.rules import AUTOMATIC, holds

SAME = [
    ("y = 2x + 1", "2x - y + 1 = 0"),
    ("y = x", "2y = 2x"),
    ("6y = 6x", "y = x"),
    (r"x^2 + y^2 = 1", r"y^2 = 1 - x^2"),
    (r"\frac{x^2}{4} + \frac{y^2}{3} = 1", "3x^2 + 4y^2 = 12"),
    (r"E = \frac{1}{2}mv^2", "2E = mv^2"),
    (r"y = (x+1)^2", r"y = x^2 + 2x + 1"),
    ("x = 3", "2x = 6"),
]
ILL_CONDITIONED = [
    ("(x+10000)^3-x^3-30000x^2-300000000x=1000000000000-x", "x=0"),
    ("(x+10000.0)^3-x^3-30000x^2-300000000x=1000000000000-x", "x=0"),
    (
        "(x+1000)^6-x^6-6000x^5-15000000x^4-20000000000x^3-15000000000000x^2-6000000000000000x"
        "=1000000000000000000-x",
        "x=0",
    ),
    (r"(y+1000)^6-(y^2+2000y+1000000)^3=\sin y", r"2\sin y=0"),
]
"""Equal, but with terms so much greater than what is left of them that fifteen digits don't show it."""

BY_QUADRATURE = [
    (r"y=\int_{-1}^{1} |x| dx", "y=1"),
    (r"y=\int_{0}^{2}|x-1|dx", "y=1"),
    (r"y=\int_{-2}^{2}|x^2-1|dx", "y=4"),
]
"""Equal, but not to SymPy's numeric integration."""

DIFFERENT = [
    ("y = 2x", "y = 3x"),
    ("2y = 2x", "3y = 3x"),
    (r"y = \sqrt{x}", "y^2 = x"),
    (r"y = \sin x", r"y = \cos x"),
    ("x = 1", "x = 2"),
    ("E = mc^2", "E = mc^3"),
    ("f(x) = x", "f(x) = 2x"),
    ("1 = 1", "x = 1"),
    ("x < 1", "x = 1"),
    ("x = y = z", "x = y"),
]
EVERY = sorted({side for pair in [*SAME, *DIFFERENT] for side in pair})


@pytest.mark.parametrize(
    ("pair", "verdict"),
    [(one, True) for one in [*SAME, *ILL_CONDITIONED, BY_QUADRATURE[0]]]
    + [pytest.param(one, True, marks=pytest.mark.slow) for one in BY_QUADRATURE[1:]]
    + [(one, False) for one in DIFFERENT],
)
def test_equations(pair, verdict):
    for pred, gold in (pair, pair[::-1]):
        assert holds(AUTOMATIC["EQ"], pred, gold) is verdict


def test_most_different_equations_are_never_simplified(monkeypatch):
    asked = []
    monkeypatch.setattr(rules, "_difference", asked.append)
    for pair in DIFFERENT[:6]:
        holds(AUTOMATIC["EQ"], *pair)
    assert asked == []


@pytest.mark.slow
def test_no_verdict_depends_on_the_numbers(monkeypatch):
    pairs = [*itertools.product(EVERY[::2], EVERY[1::2]), *ILL_CONDITIONED, *BY_QUADRATURE]
    quick = [holds(AUTOMATIC["EQ"], *pair) for pair in pairs]
    monkeypatch.setattr(rules, "_differ", lambda left, right: False)
    assert [holds(AUTOMATIC["EQ"], *pair) for pair in pairs] == quick
