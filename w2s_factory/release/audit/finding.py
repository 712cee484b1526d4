"""Findings of an audit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from w2s_factory.errors import encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from w2s_factory.release.audit.corpus import Corpus

EXAMPLES = 3


@dataclass(frozen=True)
class Found:
    """Something found in one place.

    Attributes:
        where: The file, or files, below the folder looked at.
        count: How many rows (questions, pairs, entries) it concerns.
        total: Of how many; None where that has no meaning.
        text: What it is, with the counts, as a sentence.
        examples: A few of the rows, by id or text.
    """

    where: str
    count: int
    total: int | None
    text: str
    examples: tuple[str, ...] = ()


Look: TypeAlias = "Callable[[Corpus], Iterator[Found]]"


@dataclass(frozen=True)
class Check:
    """One thing an audit looks for.

    Attributes:
        name: How it is called in JSON.
        title: What it finds.
        consequence: What it does to a training or a measurement.
        instead: What this toolkit does about it.
        look: Finds it.
        fault: Whether finding it is a fault; else it is a measurement.
    """

    name: str
    title: str
    consequence: str
    instead: str
    look: Look
    fault: bool = True


def few(items: Iterable[object]) -> tuple[str, ...]:
    """The first few items as text, each cut to a line."""
    return tuple(_short(str(item)) for item in islice(items, EXAMPLES))


def _short(text: str, most: int = 90) -> str:
    line = encodable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[:most]}…"
