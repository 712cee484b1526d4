"""Verdicts on LaTeX shapes by exact arithmetic, where SymPy's `simplify(gold - pred) == 0` must agree.

Both sides are evaluated with whole numbers for their symbols, roots within bounds. `simplify` keeps
values, so sides that differ there are not equal; sides without symbols that agree exactly are, and so
are sides of the same form. Where decimals, which SymPy rounds, or a division by zero come in, or the
values agree and the forms don't, there is no verdict here.
"""

from __future__ import annotations

import zlib
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, NamedTuple

from w2s_factory.scoring import shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from w2s_factory.scoring.shapes import Node

_MOST_BITS = 4096
_ROOT_SCALE = 2**128
_ROUNDED_DIGITS = 15
"""A decimal of at most so many digits is a float of its own: SymPy finds it equal to no other."""


def equal(pred: Node, gold: Node) -> bool | None:
    """Whether `simplify(gold - pred) == 0`, for unevaluated expressions; None where that is not certain."""
    numbers = _plain_number(pred), _plain_number(gold)
    if None not in numbers:
        return numbers[0] == numbers[1]
    try:
        mine, theirs = _bounds(pred), _bounds(gold)
    except (_UndecidedError, ZeroDivisionError):
        return None
    if mine.high < theirs.low or theirs.high < mine.low:
        return None if _rounded(pred) or _rounded(gold) else False
    if _has(pred, shapes.Symbol) or _has(gold, shapes.Symbol) or not mine.exact:
        certain = pred == gold
    else:
        certain = theirs.exact
    return True if certain and not (_has_decimals(pred) or _has_decimals(gold)) else None


class _UndecidedError(Exception):
    """No value, or one too long to be worth it."""


class _Bounds(NamedTuple):
    """The value lies between them, both included."""

    low: Fraction
    high: Fraction

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def negative(self) -> _Bounds:
        return _Bounds(-self.high, -self.low)

    def plus(self, other: _Bounds) -> _Bounds:
        return _Bounds(self.low + other.low, self.high + other.high)

    def minus(self, other: _Bounds) -> _Bounds:
        return self.plus(other.negative())

    def times(self, other: _Bounds) -> _Bounds:
        products = [mine * theirs for mine in self for theirs in other]
        return _Bounds(min(products), max(products))

    def over(self, other: _Bounds) -> _Bounds:
        return self.times(other.inverse())

    def inverse(self) -> _Bounds:
        if self.low <= 0 <= self.high:
            raise ZeroDivisionError
        return _Bounds(1 / self.high, 1 / self.low)

    def root(self) -> _Bounds:
        if self.low < 0:
            raise _UndecidedError
        low = isqrt(int(self.low * _ROOT_SCALE**2))
        high = isqrt(int(self.high * _ROOT_SCALE**2)) + 1
        return _Bounds(Fraction(low, _ROOT_SCALE), Fraction(high, _ROOT_SCALE))

    def power(self, exponent: _Bounds) -> _Bounds:
        count = exponent.low
        bits = max(map(_bits, self))
        if not exponent.exact or count.denominator != 1 or self.low <= 0 <= self.high:
            raise _UndecidedError
        if abs(count) * bits > _MOST_BITS:
            raise _UndecidedError
        ends = [self.low**count.numerator, self.high**count.numerator]  # zero lies outside: monotone
        return _Bounds(min(ends), max(ends))


_OPERATIONS: dict[type, Callable[..., _Bounds]] = {
    shapes.Negative: _Bounds.negative,
    shapes.Root: _Bounds.root,
    shapes.Power: _Bounds.power,
    shapes.Sum: _Bounds.plus,
    shapes.Difference: _Bounds.minus,
    shapes.Product: _Bounds.times,
    shapes.Quotient: _Bounds.over,
    shapes.Fraction: _Bounds.over,
}


def _bounds(node: Node) -> _Bounds:
    """Bounds of a shape's value with whole numbers for its symbols."""
    if isinstance(node, shapes.Number):
        number = Fraction(node.text)
        return _Bounds(number, number)
    if isinstance(node, shapes.Symbol):
        number = Fraction(1009 + zlib.crc32(node.name.encode()) % 997)
        return _Bounds(number, number)
    value = _OPERATIONS[type(node)](*map(_bounds, shapes.children(node)))
    if max(map(_bits, value)) > _MOST_BITS:
        raise _UndecidedError
    return value


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _plain_number(node: Node) -> Fraction | None:
    """The value of a signed number that SymPy holds without rounding it together with another."""
    sign = 1
    while isinstance(node, shapes.Negative):
        node, sign = node.inner, -sign
    if not isinstance(node, shapes.Number) or len(node.text) > _ROUNDED_DIGITS:
        return None
    return sign * Fraction(node.text)


def _has(node: Node, kind: type | tuple[type, ...]) -> bool:
    return any(isinstance(part, kind) for part in shapes.parts(node))


def _has_decimals(node: Node) -> bool:
    return any(isinstance(part, shapes.Number) and "." in part.text for part in shapes.parts(node))


def _rounded(node: Node) -> bool:
    """Whether SymPy's rounding of decimals could matter: sums may cancel, powers magnify."""
    return _has_decimals(node) and _has(node, (shapes.Sum, shapes.Difference, shapes.Power))
