"""Limits on answers that go to a parser: an answer that exceeds one is wrong.

The limits do not apply to equal texts (see `comparison.decide`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 1_000
"""The largest number of characters; the longest gold answer of MATH's test split has 53."""

DEEPEST: Final = 20
"""The largest number of nested brackets."""

HIGHEST_TOWER: Final = 2
"""The largest number of nested exponents."""

LONGEST_POWER: Final = 4
"""The largest number of digits of an exponent, and of a number under a factorial."""

_EXPONENT = re.compile(r"\^(?:\{[+-]?(\d+(?:,\d{3})*)(?!\d)|[+-]?(\d+))")
"""A number as an exponent. Commas belong to it only in braces: `2^{1,000}`, but `2^2,3,5` is a list."""

_LONG_FACTORIAL = re.compile(rf"\d{{{LONGEST_POWER + 1}}}\)?!")
_BRACKET = re.compile(r"\^?[({\[]|[)}\]]")


class Verdict(NamedTuple):
    """A verdict on an answer and a reference.

    Attributes:
        result: Whether they are equal.
        limit: The limit that ended the comparison before this was known: `time`, `memory`, `crash` (the
            comparing process died), `length`, `nesting` or `exponent`; None if it was found.
    """

    result: bool
    limit: str | None = None


def exceeded(answer: str) -> str | None:
    """Return the limit that an answer exceeds: `length`, `nesting` or `exponent`; None if there is none."""
    if len(answer) > LONGEST:
        return "length"
    depth, tower = _heights(answer)
    if depth > DEEPEST:
        return "nesting"
    return "exponent" if tower > HIGHEST_TOWER or _has_long_power(answer) else None


def _has_long_power(answer: str) -> bool:
    """Return whether a number of too many digits is an exponent or under a factorial."""
    exponents = (braced or bare for braced, bare in _EXPONENT.findall(answer))
    too_long = any(len(exponent.replace(",", "")) > LONGEST_POWER for exponent in exponents)
    return too_long or _LONG_FACTORIAL.search(answer) is not None


def _heights(answer: str) -> tuple[int, int]:
    """Return the largest depth of nested brackets, and the largest number of them opened by an exponent."""
    depth = tower = 0
    for raised in _open_brackets(answer):
        depth, tower = max(depth, len(raised)), max(tower, sum(raised))
    return depth, tower


def _open_brackets(answer: str) -> Iterator[list[bool]]:
    """Yield, after each bracket, whether an exponent opened it for each bracket that is open."""
    raised: list[bool] = []
    for bracket in _BRACKET.finditer(answer):
        if bracket[0] in ")}]":
            del raised[-1:]
        else:
            raised.append(bracket[0].startswith("^"))
        yield raised
