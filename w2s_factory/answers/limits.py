"""Limits on answers that go to a parser: one that is too long, too deep or too high is wrong.

They do not hold for equal texts (`answers.decide`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 1_000
"""Characters of an answer; the longest gold of MATH's test split has 53."""

DEEPEST: Final = 20
"""Brackets open at once."""

HIGHEST_TOWER: Final = 2
"""Exponents standing on exponents."""

LONGEST_POWER: Final = 4
"""Digits of a number raised to, or taken the factorial of."""

_EXPONENT = re.compile(r"\^(?:\{[+-]?(\d+(?:,\d{3})*)(?!\d)|[+-]?(\d+))")
"""A number as an exponent. Only in braces do commas belong to it: `2^{1,000}`, but `2^2,3,5` is a list."""

_LONG_FACTORIAL = re.compile(rf"\d{{{LONGEST_POWER + 1}}}\)?!")
_BRACKET = re.compile(r"\^?[({\[]|[)}\]]")


class Verdict(NamedTuple):
    """Whether two answers are equal, and the limit that ended the comparison before that was known.

    `limit` is `time`, `memory`, `crash` (the comparing process died), `length`, `nesting` or `exponent`.
    """

    result: bool
    limit: str | None = None


def exceeded(answer: str) -> str | None:
    """The limit an answer exceeds: `length`, `nesting` or `exponent`; None if it exceeds none."""
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
    """The most brackets open at once, and the most of them opened by an exponent."""
    depth = tower = 0
    for raised in _open_brackets(answer):
        depth, tower = max(depth, len(raised)), max(tower, sum(raised))
    return depth, tower


def _open_brackets(answer: str) -> Iterator[list[bool]]:
    """The brackets open after each bracket: whether an exponent opened it."""
    raised: list[bool] = []
    for bracket in _BRACKET.finditer(answer):
        if bracket[0] in ")}]":
            del raised[-1:]
        else:
            raised.append(bracket[0].startswith("^"))
        yield raised
