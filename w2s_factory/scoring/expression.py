"""From a LaTeX shape to the SymPy expression that `parse_latex` builds for it, unevaluated like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy

from w2s_factory.scoring import latex

if TYPE_CHECKING:
    from w2s_factory.scoring.latex import Node


def expression(node: Node) -> Any:
    """The SymPy expression of a shape: the same tree as `parse_latex` returns (SymPy 1.14)."""
    match node:
        case latex.Number(text):
            return sympy.Number(text)
        case latex.Symbol(name):
            return sympy.Symbol(name)
        case latex.Negative(inner):
            return -expression(inner)
        case latex.Root(base):
            return sympy.sqrt(expression(base), evaluate=False)
        case latex.Power(base, exponent):
            return sympy.Pow(expression(base), expression(exponent), evaluate=False)
        case latex.Sum(left, right):
            return sympy.Add(expression(left), expression(right), evaluate=False)
        case latex.Difference(left, right):
            return sympy.Add(expression(left), _negated(expression(right)), evaluate=False)
        case latex.Product(left, right):
            return sympy.Mul(expression(left), expression(right), evaluate=False)
        case latex.Quotient(left, right):
            return sympy.Mul(expression(left), _inverse(right), evaluate=False)
        case latex.Fraction(top, bottom):
            return _fraction(expression(top), _inverse(bottom))


def _negated(term: Any) -> Any:
    return -1 * term if term.is_Atom else sympy.Mul(-1, term, evaluate=False)


def _inverse(node: Node) -> Any:
    return sympy.Pow(expression(node), -1, evaluate=False)


def _fraction(top: Any, inverse: Any) -> Any:
    return inverse if top == 1 else sympy.Mul(top, inverse, evaluate=False)
