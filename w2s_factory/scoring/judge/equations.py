"""When two equations are the same (type EQ): what they say to be zero is equal, or a whole multiple."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from w2s_factory.scoring.judge.values import value
from w2s_factory.scoring.points import NEAR, POINTS, value_at

_KEPT: Final = 4096


def same_equation(pred: str, gold: Any) -> bool:
    """EQ: the sides' differences are equal, or one is a whole multiple of the other.

    SymPy's simplification, which takes most of a judge's time, is asked only where numbers put for the
    symbols don't show already that it can find neither.
    """
    from sympy import simplify  # noqa: PLC0415  heavy

    if _differ(_sides(pred), _sides(gold)):
        return False
    left, right = _difference(pred), _difference(gold)
    return simplify(left - right) == 0 or any(
        quotient.is_Integer and quotient != 0 for quotient in (simplify(left / right), simplify(right / left))
    )


@lru_cache(_KEPT)
def _sides(equation: str) -> Any:
    """Left side minus right side, as written."""
    left, right = equation.split("=")
    return value(left) - value(right)


@lru_cache(_KEPT)
def _difference(equation: str) -> Any:
    """Left side minus right side, simplified, of an equation that is neither always true nor always false."""
    from sympy import Eq, simplify  # noqa: PLC0415  heavy

    left, right = equation.split("=")
    relation = Eq(value(left), value(right))
    return simplify(relation.lhs - relation.rhs)


def _differ(left: Any, right: Any) -> bool:
    """Whether at some point neither expression is a whole multiple of the other; False if that is unclear."""
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    for point in POINTS:
        mine, theirs = value_at(left, symbols, point), value_at(right, symbols, point)
        if mine and theirs and not (_is_whole(mine / theirs) or _is_whole(theirs / mine)):
            return True
    return False


def _is_whole(quotient: complex) -> bool:
    """Return whether a quotient may be a whole number other than 0, apart from rounding."""
    nearest = round(quotient.real)
    return nearest != 0 and abs(quotient - nearest) <= NEAR * abs(quotient)
