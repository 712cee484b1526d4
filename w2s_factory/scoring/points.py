"""Values of SymPy expressions with numbers put for their symbols, where two precisions confirm them."""

from __future__ import annotations

import cmath
from itertools import count
from typing import Any, Final

POINTS: Final = (("1.1", "0.37"), ("2.3", "0.53"))
"""The points: the number for the first symbol, and by how much the number for each next symbol is larger."""

NEAR: Final = 1e-6
"""A value must be larger than this, and smaller than its inverse, to count as a finite one that is not 0."""

_DIGITS: Final = (15, 50)
"""A value counts only where more digits confirm it: terms that cancel leave none of the few."""

_AGREEING: Final = 1e-9
"""The largest difference between two such values, as a share."""


def value_at(expression: Any, symbols: list[Any], point: tuple[str, str]) -> complex:
    """Return the expression's value at a point; 0 where it is unclear.

    It is unclear where SymPy integrates numerically or adds up a series, since there the result with more
    digits may be as wrong as the result with few.
    """
    from sympy import Derivative, Float, Integral, Limit, Product, Sum  # noqa: PLC0415  heavy

    if expression.has(Integral, Sum, Product, Limit, Derivative):
        return 0
    fine: complex = 0
    for digits in _DIGITS:
        numbers = count(*(Float(part, digits) for part in point))
        rough, fine = fine, _value(expression, dict(zip(symbols, numbers, strict=False)))
        if not fine:
            return 0
    return fine if abs(rough - fine) <= _AGREEING * abs(fine) else 0


def is_not_zero(expression: Any) -> bool:
    """Return whether a value shows that an expression is not zero; False if that is unclear.

    Expressions with decimals are always unclear, because what SymPy makes of them depends on its rounding.
    """
    from sympy import Float  # noqa: PLC0415  heavy

    if expression.has(Float):
        return False
    return value_at(expression, sorted(expression.free_symbols, key=str), POINTS[0]) != 0


def _value(expression: Any, numbers: dict[Any, Any]) -> complex:
    """Return the expression's value; 0 where it has no finite one, or one too small to tell from 0."""
    try:
        found = complex(expression.subs(numbers))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  unknown functions and overflows show nothing
        return 0
    return found if cmath.isfinite(found) and NEAR < abs(found) < 1 / NEAR else 0
