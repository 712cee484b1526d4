"""Verdicts of the symbolic mode are those of a plain loop over SymPy (see also tests/misuse)."""

from __future__ import annotations

import pytest
from sympy import simplify
from sympy.parsing.latex import parse_latex

from w2s_factory.answers import symbolic


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


QUICK = [
    ("5", "-5", False),
    ("-0", "0", True),
    ("123456789012345678901234567890", "123456789012345678901234567891", False),
    ("0.5", "0.50", True),
    ("5.0", "5", True),
    ("0.333333333", r"\frac{1}{3}", None),  # closer than SymPy's rounding may be
    ("0.33", r"\frac{1}{3}", False),
    ("0.5", r"\frac{1}{2}", None),
    ("0.0392156862745098", r"\frac{2}{51}", None),
    ("1234567.123456789", "1234567.123456789", None),
    (r"\frac{2}{4}", r"\dfrac{1}{2}", True),
    (r"-\frac{3}{4}", r"\frac{-3}{4}", True),
    (r"\frac{6}{3}", "2", True),
    (r"\frac{1}{0}", r"\frac{1}{0}", None),
    ("07", "7", None),
    ("1,000", "1000", None),
    ("", "", True),
    ("", "0", False),
    (r"2\sqrt{3}", r"2\sqrt{3}", True),
    ("(3,4)", "(3,4)", True),
    ("(3,4)", "(3,5)", None),
    ("x<3", "x<3", None),
    (r"\infty", r"\infty", None),
]


@pytest.mark.parametrize(("pred", "gold", "expected"), QUICK)
def test_what_is_certain_without_sympy(pred, gold, expected):
    assert symbolic.quick(pred, gold) is symbolic.quick(gold, pred) is expected
    assert expected in (None, plain(pred, gold))


def test_each_distinct_answer_is_parsed_once(monkeypatch):
    parsed = []
    symbolic.parsed.cache_clear()
    monkeypatch.setattr(
        "sympy.parsing.latex.parse_latex", lambda text: parsed.append(text) or parse_latex(text)
    )
    for pred in ("x+1", "x+2", "x+1"):
        symbolic.slow(pred, "x+3")
    assert parsed == ["x+3", "x+1", "x+2"]


def test_the_parser_is_left_as_sympy_has_it():
    from sympy.parsing.latex import _parse_latex_antlr

    before = _parse_latex_antlr.LaTeXParser
    for answer in ("x+1", "(", r"\frac{d}{dx}", r"\begin{pmatrix}1"):
        symbolic.parsed(answer)
    assert _parse_latex_antlr.LaTeXParser is before
