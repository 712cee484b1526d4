"""What is too long, too deep or too high to be looked at by a parser: such an answer is wrong."""

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

_LONG_POWER = re.compile(rf"\^\{{?[+-]?[\d,]{{{LONGEST_POWER + 1}}}|\d{{{LONGEST_POWER + 1}}}\)?!")
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
    return "exponent" if tower > HIGHEST_TOWER or _LONG_POWER.search(answer) else None


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
