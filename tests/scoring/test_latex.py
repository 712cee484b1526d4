"""The short way of reading LaTeX gives what SymPy's parser gives, or gives nothing."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import example, given, settings
from latex_answers import answers
from sympy.parsing.latex import parse_latex

from w2s_factory.scoring.expression import expression
from w2s_factory.scoring.latex import REFUSED, read_latex


def by_sympy(text):
    """The tree `parse_latex` builds, as text; REFUSED where it raises."""
    try:
        return sympy.srepr(parse_latex(text))
    except Exception:  # noqa: BLE001
        return REFUSED


def in_short(text):
    """The tree of the short way; None where it has none."""
    shape = read_latex(text)
    return shape if shape is None or shape is REFUSED else sympy.srepr(expression(shape))


@settings(max_examples=600, deadline=None)
@given(answers)
@example("16.")  # read as 1
@example("1,23400")
@example("a_11,234")
@example(r"\pi{1,234")
@example("[x_1,2341,234]")
@example(r"\pi_dx0")
@example("a_01")
@example("2xx3x4")
@example("(-x)x2")
def test_gives_the_tree_of_sympy_or_none(text):
    mine = in_short(text)
    assert mine is None or mine == by_sympy(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "5",
            "-3",
            "1,234",
            "3.50",
            "--3",
            r"\frac{1}{2}",
            r"-\frac{3}{4}",
            r"2\frac{1}{2}",
            "2x3",
            "x^2+2x+1",
        ),
        *(
            r"\sqrt{2}",
            r"3\sqrt{13}",
            r"\frac{\sqrt{3}}{3}",
            r"6+9i",
            r"7\pi",
            "5apples",
            "15:30",
            "1hour,45",
            "12-J",
        ),
        *(
            r"\frac{1}{2},3",
            "2^{10}",
            "2^3^2",
            "(x+1)(x-2)",
            "40_9",
            r"\begin{pmatrix}-2\-14\-7\end{pmatrix}",
        ),
    ],
)
def test_reads_common_answers(text):
    assert in_short(text) == by_sympy(text) is not REFUSED


@pytest.mark.parametrize(
    "text",
    ["", "(3,4)", r"\le(3,4\right)", "5%", "(", ".5", "07", "1:07", "5.", r"1\2", r"1\\2", "\u0663", "[1,2)"],
)
def test_knows_what_is_refused(text):
    assert read_latex(text) is by_sympy(text) is REFUSED


@pytest.mark.parametrize(
    "text", ["f(x)", "3!", "|x|", "x<3", r"\sin{x}", "x+16.", "1" * 101, "(" * 9 + "1" + ")" * 9]
)
def test_leaves_the_rest_to_sympy(text):
    assert read_latex(text) is None
