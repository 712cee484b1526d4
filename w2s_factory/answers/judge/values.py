"""Answers as SymPy expressions, each parsed and evaluated once, and the comparison of their values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from w2s_factory.answers.symbolic import parsed

CLOSE: Final = 1.01e-5
"""The largest difference of two equal numbers."""

_MANTISSAS_CLOSE: Final = 0.101
"""The largest difference of the mantissas of two equal numbers in scientific notation."""

_KEPT: Final = 4096


class UnreadableError(ValueError):
    """An answer that SymPy's LaTeX parser refuses."""


def value(latex: str) -> Any:
    """Return the unevaluated expression of an answer.

    Raises:
        UnreadableError: It cannot be parsed.
    """
    expression = parsed(latex)
    if expression is None:
        raise UnreadableError(latex)
    return expression


@lru_cache(_KEPT)
def same_number(answer: str, reference: str) -> bool:
    """Return whether an answer and a reference have the same numerical value (type NV).

    They have if they are the same text, are close as floats or as LaTeX (symbols may cancel), or are both in
    scientific notation with the same exponent and close mantissas. If only one of them is in scientific
    notation, the other is first rounded to Python's `%.2e`.
    """
    if answer == reference or close_floats(answer, reference):
        return True
    try:
        return _same_values(answer, reference)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  the published verdict on any failure
        return False


def close_floats(left: Any, right: Any) -> bool:
    """Return whether Python can convert both to floats, and these are close."""
    try:
        return abs(float(left) - float(right)) <= CLOSE
    except (TypeError, ValueError, OverflowError, AttributeError):
        return False


def _same_values(answer: str, reference: str) -> bool:
    left, right = value(answer), value(reference)
    if abs(_number(answer) - _number(reference)) <= CLOSE:
        return True
    scientific = is_scientific(left), is_scientific(right)
    if not any(scientific):
        return bool(_number(answer) == _number(reference))
    left = left if scientific[0] else value(_rounded(answer))
    right = right if scientific[1] else value(_rounded(reference))
    if is_scientific(left) and is_scientific(right):
        return _same_exponents(left, right)
    return bool(_evaluated(left) == _evaluated(right))


@lru_cache(_KEPT)
def _number(latex: str) -> Any:
    return _evaluated(value(latex))


def _evaluated(expression: Any) -> Any:
    from sympy import N  # noqa: PLC0415  heavy

    return N(expression)


def is_scientific(expression: Any) -> bool:
    """Return whether an expression is a product whose second factor is a power of ten."""
    from sympy import Mul, Pow  # noqa: PLC0415  heavy

    if not isinstance(expression, Mul):
        return False
    second = expression.args[1]
    return isinstance(second, Pow) and bool(second.args[0] == 10)


def _rounded(number: str) -> str:
    mantissa, exponent = f"{float(number):.2e}".split("e")
    return rf"{mantissa}\times 10^{{{int(exponent)}}}"


def _same_exponents(left: Any, right: Any) -> bool:
    first, second = (
        (_evaluated(mantissa), _evaluated(power.args[1]))
        for mantissa, power in (left.args[:2], right.args[:2])
    )
    return bool(first[1] == second[1] and abs(first[0] - second[0]) <= _MANTISSAS_CLOSE)
