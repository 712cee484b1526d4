"""When two equations are the same (type EQ): what they say to be zero is equal, or a whole multiple."""

from __future__ import annotations

import cmath
from functools import lru_cache
from itertools import count
from typing import Any, Final

from w2s_factory.scoring.judge.values import value

_KEPT: Final = 4096

_POINTS: Final = (("1.1", "0.37"), ("2.3", "0.53"))
"""Where symbols are put to the test: the first one's number, and how far the next one's lies above it."""

_DIGITS: Final = (15, 50)
"""A value counts only where more digits confirm it: terms that cancel leave none of the few."""

_AGREEING: Final = 1e-9
"""How far two such values may lie apart, as a share."""

_NEAR: Final = 1e-6
"""How far a quotient found in floating point may lie from the whole number it is."""


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
    for point in _POINTS:
        mine, theirs = _confirmed(left, symbols, point), _confirmed(right, symbols, point)
        if mine and theirs and not (_is_whole(mine / theirs) or _is_whole(theirs / mine)):
            return True
    return False


def _confirmed(expression: Any, symbols: list[Any], point: tuple[str, str]) -> complex:
    """The expression's value at a point, 0 where it is unclear.

    So is what SymPy finds by quadrature or by adding up: the more digits may be as wrong as the few.
    """
    from sympy import Derivative, Float, Integral, Limit, Product, Sum  # noqa: PLC0415  heavy

    if expression.has(Integral, Sum, Product, Limit, Derivative):
        return 0
    rough, fine = (
        _number(expression, dict(zip(symbols, count(*(Float(one, digits) for one in point)), strict=False)))
        for digits in _DIGITS
    )
    return fine if abs(rough - fine) <= _AGREEING * abs(fine) else 0


def _number(expression: Any, numbers: dict[Any, Any]) -> complex:
    """The expression's value there; 0 where it has no finite one, or one too small to tell from 0."""
    try:
        found = complex(expression.subs(numbers))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  unknown functions, overflows: not shown
        return 0
    return found if cmath.isfinite(found) and _NEAR < abs(found) < 1 / _NEAR else 0


def _is_whole(quotient: complex) -> bool:
    """Whether it may be a whole number but 0, rounding apart."""
    nearest = round(quotient.real)
    return nearest != 0 and abs(quotient - nearest) <= _NEAR * abs(quotient)
