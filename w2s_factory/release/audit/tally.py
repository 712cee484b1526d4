"""Counts of problems with a few examples, so that memory does not grow with the problems."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from w2s_factory.errors import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable

EXAMPLES = 3
"""The most examples a finding shows."""


class Tally(NamedTuple):
    """The number of things examined, and what is wrong with some of them.

    Attributes:
        total: The number of things.
        wrong: The number of those with a problem.
        examples: The first few problems.
    """

    total: int
    wrong: int
    examples: tuple[str, ...]


def tally(problems: Iterable[str | None]) -> Tally:
    """Return the number of problems, given for each thing examined: None if nothing is wrong with it.

    Only the examples are kept in memory.
    """
    total = wrong = 0
    examples: list[str] = []
    for total, problem in enumerate(problems, 1):  # noqa: B007  used below
        if problem is not None:
            wrong += 1
            if wrong <= EXAMPLES:
                examples.append(_short(problem))
    return Tally(total, wrong, tuple(examples))


def few(items: Iterable[object]) -> tuple[str, ...]:
    """Return the first few items as text, each on one line and shortened."""
    return tuple(_short(str(item)) for item in islice(items, EXAMPLES))


def _short(text: str, most: int = 90) -> str:
    line = encodable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[:most]}…"
