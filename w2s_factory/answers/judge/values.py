"""Answers as SymPy reads them, each parsed and evaluated once, and when two are the same number."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from w2s_factory.answers.symbolic import parsed

CLOSE: Final = 1.01e-5
"""How far two numbers may lie apart."""

_MANTISSAS_CLOSE: Final = 0.101
"""How far those of two numbers in scientific notation may."""

_KEPT: Final = 4096


class UnreadableError(ValueError):
    """SymPy's LaTeX parser refuses an answer."""


def value(latex: str) -> Any:
    """The expression an answer is, unevaluated.

    Raises:
        UnreadableError: It can't be parsed.
    """
    expression = parsed(latex)
    if expression is None:
        raise UnreadableError(latex)
    return expression


@lru_cache(_KEPT)
def same_number(pred: str, gold: str) -> bool:
    """Whether two answers are one numerical value (type NV).

    They are where they are the same text, or close as floats, or close as LaTeX, symbols included where
    they cancel, or where both are scientific, with one exponent and close mantissas. One that is not
    scientific against one that is, is first rounded to Python's `%.2e`.
    """
    if pred == gold or close_floats(pred, gold):
        return True
    try:
        return _same_values(pred, gold)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  the published verdict on whatever fails
        return False


def close_floats(left: Any, right: Any) -> bool:
    """Whether Python makes floats of both, and they are close."""
    try:
        return abs(float(left) - float(right)) <= CLOSE
    except (TypeError, ValueError, OverflowError, AttributeError):
        return False


def _same_values(pred: str, gold: str) -> bool:
    left, right = value(pred), value(gold)
    if abs(_number(pred) - _number(gold)) <= CLOSE:
        return True
    scientific = is_scientific(left), is_scientific(right)
    if not any(scientific):
        return bool(_number(pred) == _number(gold))
    left = left if scientific[0] else value(_rounded(pred))
    right = right if scientific[1] else value(_rounded(gold))
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
    """Whether an expression is a product whose second factor is a power of ten."""
    from sympy import Mul, Pow  # noqa: PLC0415  heavy

    if not isinstance(expression, Mul):
        return False
    second = expression.args[1]
    return isinstance(second, Pow) and bool(second.args[0] == 10)


def _rounded(number: str) -> str:
    mantissa, exponent = f"{float(number):.2e}".split("e")
    return rf"{mantissa}\times 10^{{{int(exponent)}}}"


def _same_exponents(left: Any, right: Any) -> bool:
    mine, theirs = (
        (_evaluated(mantissa), _evaluated(power.args[1]))
        for mantissa, power in (left.args[:2], right.args[:2])
    )
    return bool(mine[1] == theirs[1] and abs(mine[0] - theirs[0]) <= _MANTISSAS_CLOSE)
