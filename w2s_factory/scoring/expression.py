"""From a LaTeX shape to the SymPy expression that `parse_latex` builds for it, unevaluated like it."""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy

from w2s_factory.scoring import shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from w2s_factory.scoring.shapes import Node


def expression(node: Node) -> Any:
    """The SymPy expression of a shape: the same tree as `parse_latex` returns (SymPy 1.14)."""
    if isinstance(node, shapes.Number):
        return sympy.Number(node.text)
    if isinstance(node, shapes.Symbol):
        return sympy.Symbol(node.name)
    return _BUILDERS[type(node)](*map(expression, shapes.children(node)))


def _difference(left: Any, right: Any) -> Any:
    negated = -1 * right if right.is_Atom else sympy.Mul(-1, right, evaluate=False)
    return sympy.Add(left, negated, evaluate=False)


def _inverse(value: Any) -> Any:
    return sympy.Pow(value, -1, evaluate=False)


def _quotient(left: Any, right: Any) -> Any:
    return sympy.Mul(left, _inverse(right), evaluate=False)


def _fraction(top: Any, bottom: Any) -> Any:
    return _inverse(bottom) if top == 1 else _quotient(top, bottom)


_BUILDERS: dict[type, Callable[..., Any]] = {
    shapes.Negative: operator.neg,
    shapes.Root: partial(sympy.sqrt, evaluate=False),
    shapes.Power: partial(sympy.Pow, evaluate=False),
    shapes.Sum: partial(sympy.Add, evaluate=False),
    shapes.Difference: _difference,
    shapes.Product: partial(sympy.Mul, evaluate=False),
    shapes.Quotient: _quotient,
    shapes.Fraction: _fraction,
}
