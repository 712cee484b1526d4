"""Answers compared as numbers: exact fractions, whatever way they are written, and tolerances without floats."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.answers.number_equality import Tolerance, equal_numbers, number_of

NUMBERS = [
    ("18", 18), ("-18", -18), ("+18", 18), ("\u221218", -18), ("018", 18), ("1,000", 1000), ("1,234,567.5", Fraction(2469135, 2)),
    ("1,00", None), ("1,0000", None), (",100", None), ("3.50", Fraction(7, 2)), (".5", Fraction(1, 2)), ("5.", 5), (".", None),
    ("-", None), ("", None), (" ", None), ("1e3", 1000), ("2.5E-1", Fraction(1, 4)), ("e3", None), ("1e12345", None),
    ("3/4", Fraction(3, 4)), ("-3/4", Fraction(-3, 4)), ("3/0", None), ("1/2/3", None), (r"\frac{3}{4}", Fraction(3, 4)),
    (r"-\dfrac{3}{4}", Fraction(-3, 4)), (r"\frac{3}{0}", None), (r"\frac{a}{4}", None), ("$18", 18), ("-$18", -18), (r"\$18", 18),
    ("18$", 18), ("50%", 50), (r"50\%", 50), ("18 dollars", None), ("1 000", None), (r"1\,000", 1000), ("1{,}000", 1000),
    ("\u0661\u0662", None), ("1_000", None), ("inf", None), ("nan", None), ("0x10", None), ("18.", 18), ("x", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_numbers(text, number):
    assert number_of(text) == number


@pytest.mark.parametrize(
    "text", ["9" * 1001, "1e9999" * 500, "\\frac{" * 10**5, "1," * 10**6, "9" * 10**6 + "/"]
)
def test_long_texts_are_no_numbers(text):
    assert number_of(text) is None
    assert equal_numbers(text, text)
    assert not equal_numbers(text, "1")


@given(st.fractions(), st.integers(0, 6))
def test_a_decimal_is_its_exact_value(value, places):
    written = f"{int(value * 10**places)}e-{places}"
    assert number_of(written) == Fraction(int(value * 10**places), 10**places)


TOLERANCES = [
    (0.1, "0.3", "0.2", True),
    (0.1, "0.1", "0.2", True),
    (0.1, "0.3000000000000000001", "0.2", False),
    ("1e-6", "1.000001", "1", True),
    (1e-06, "1.000001", "1", True),
    ("1%", "101", "100", True),
    ("1%", "99", "100", True),
    ("1%", "100", "101.1", False),
    ("1%", "-101", "-100", True),
    ("1%", "0.001", "0", False),
    ("5", "10", "five", False),
]


@pytest.mark.parametrize(("tolerance", "answer", "reference", "equal"), TOLERANCES)
def test_tolerances(tolerance, answer, reference, equal):
    assert equal_numbers(answer, reference, Tolerance.parse(tolerance)) is equal


@pytest.mark.parametrize(
    "wrong", [-1, "-1%", "", "%", "a", True, None, float("nan"), float("inf"), [], "1%%"]
)
def test_wrong_tolerances(wrong):
    with pytest.raises(ValueError, match="expected a difference"):
        Tolerance.parse(wrong)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_texts_can_be_compared(answer, reference):
    assert equal_numbers(answer, reference) is equal_numbers(
        reference, answer
    )  # without a relative tolerance
