"""What is too much for a parser is known before it is tried."""

from __future__ import annotations

import pytest

from w2s_factory.answers.limits import exceeded


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", None),
        (r"\frac{1}{2}", None),
        ("1" * 1000, None),
        ("1" * 1001, "length"),
        ("(" * 20 + ")" * 20, None),
        ("{[(" * 7, "nesting"),
        (")" * 500 + "(" * 20, None),
        ("2^{2005}", None),
        ("2^99999", "exponent"),
        ("2^{-10,000}", "exponent"),
        ("2^{1,000}", None),
        ("2^{1,000,000}", "exponent"),
        ("2^{10,0000}", None),  # read as 10, then a comma
        ("2^2,3,5", None),
        ("(x^2,100)", None),
        ("x^2,1000", None),
        ("x^-2,10,000", None),
        ("2^-99999", "exponent"),
        ("x^2 10000", None),
        ("3,10,000", None),
        ("9999!", None),
        ("(10000)!", "exponent"),
        ("9^{9^{9}}", None),  # left to the time limit
        ("9^{9^{9^{9}}}", "exponent"),
        ("x^{2}+y^{2}+z^{2}+w^{2}", None),
        ("x^{(y^{[z^(w)]})}", "exponent"),
    ],
)
def test_limits(answer, expected):
    assert exceeded(answer) == expected
