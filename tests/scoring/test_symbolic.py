"""Verdicts of the symbolic mode are those of a plain loop over SymPy."""

from __future__ import annotations

import signal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from latex_answers import expressions, soups, words
from sympy import simplify
from sympy.parsing.latex import parse_latex

from w2s_factory.scoring import symbolic


def plain(pred, gold):
    """The published comparison as it was meant, with nothing spared."""
    try:
        mine, theirs = parse_latex(pred), parse_latex(gold)
    except Exception:  # noqa: BLE001
        return pred == gold
    try:
        return bool(simplify(theirs - mine) == 0)
    except Exception:  # noqa: BLE001
        return False


CASES = [
    ("0.5", "0.50", True),
    ("0.5", r"\frac{1}{2}", True),
    ("1,234", "1234", True),
    ("1,234", "1,235", False),
    (r"\frac{2}{4}", r"\frac{1}{2}", True),
    (r"2\frac{1}{4}", r"\frac{1}{2}", True),  # a product
    ("8_9", "8", True),
    ("1,-1,-3", "1,-3", True),
    ("(x+1)^2", "x^2+2x+1", True),
    ("5apples", "5", False),
    ("x<3", "x<3", False),
    (r"x\leq3", r"x\leq3", False),
    (r"\frac{1}{0}", r"\frac{1}{0}", False),
    ("(3,4)", "(3,4)", True),
    ("(3,4)", "(3,5)", False),
    ("", "", True),
    ("", "5", False),
    ("x", "x", True),
    (r"\sqrt{4}", "2", True),
    (r"\sqrt{8}", r"2\sqrt{2}", True),
    ("1e5", "100000", False),
    ("0.3", "0.1+0.2", None),
    ("123456789012345678901234567890", "123456789012345678901234567891", False),
    ("0.12345678901234567890", "0.12345678901234567891", None),
]


@pytest.mark.parametrize(("pred", "gold", "expected"), CASES)
def test_cases(pred, gold, expected):
    verdict = plain(pred, gold)
    assert expected in (None, verdict)
    assert symbolic.slow(pred, gold) is verdict
    assert symbolic.quick(pred, gold) in (None, verdict)


def test_most_cases_are_certain_without_sympy():
    """Else the quick way saves nothing, and the tests here that let it have no verdict say nothing."""
    certain = [pred for pred, gold, _ in CASES if symbolic.quick(pred, gold) is not None]
    assert len(certain) >= 16


@st.composite
def alike(draw):
    """Two answers that are often the same, or the same in another form."""
    pred = draw(st.one_of(expressions, expressions, soups, words))
    gold = draw(
        st.one_of(st.just(pred), st.just(f"({pred})"), st.just(pred.replace("2", "(1+1)")), expressions)
    )
    return (pred, gold) if draw(st.booleans()) else (gold, pred)


class TooLong(BaseException):
    """The plain way takes too long to wait for."""


def in_time(pred, gold):
    """The plain verdict; None where it takes more than two seconds."""

    def stop(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        return plain(pred, gold)
    except TooLong:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@settings(max_examples=400, deadline=None)
@given(alike())
@example(("x" * 100, "x" * 100))
@example(("abcdefghijklmnopqrstuvwxyz" * 3, "abcdefghijklmnopqrstuvwxyz" * 3))
@example((r"\sqrt{2}^2", "2"))
@example(("0^{0}", "1"))
@example((r"\frac{x}{x-x}", r"\frac{x}{x-x}"))
def test_certain_verdicts_are_those_of_the_plain_loop(pair):
    verdict = symbolic.quick(*pair)
    if verdict is not None:
        assert in_time(*pair) in (None, verdict)


@settings(max_examples=60, deadline=None)
@given(alike())
def test_slow_verdicts_are_those_of_the_plain_loop(pair):
    expected = in_time(*pair)
    if expected is not None:
        assert symbolic.slow(*pair) is expected
