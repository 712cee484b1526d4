"""A check, what it finds in one place, and the finding an audit reports; `@check` declares a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from w2s_factory.release.audit.corpus import Corpus


@dataclass(frozen=True)
class Occurrence:
    """A fault, or a measurement, in one file or in files that belong together.

    Attributes:
        where: The file, or files, as paths below the audited folder.
        count: The number of rows (questions, pairs, entries) concerned.
        total: The number of rows examined; None where that has no meaning.
        text: A sentence that says what was found, with the counts.
        examples: A few of the rows, by id or text.
    """

    where: str
    count: int
    total: int | None
    text: str
    examples: tuple[str, ...] = ()


Search: TypeAlias = "Callable[[Corpus], Iterator[Occurrence]]"


@dataclass(frozen=True)
class Check:
    """One kind of fault, or of measurement, that an audit looks for.

    Attributes:
        name: The name in JSON output.
        title: The kind of fault, in words.
        consequence: The effect on a training or a measurement.
        instead: What this toolkit does about it.
        search: The function that finds its occurrences in a folder.
        fault: Whether an occurrence is a fault; otherwise it is a measurement.
        release_only: Whether it applies to the published release alone.
    """

    name: str
    title: str
    consequence: str
    instead: str
    search: Search
    fault: bool = True
    release_only: bool = False

    def findings(self, corpus: Corpus) -> Iterator[Finding]:
        """Yield what this check finds in a folder."""
        for found in self.search(corpus):
            yield Finding(
                check=self.name,
                fault=self.fault,
                title=self.title,
                where=found.where,
                count=found.count,
                total=found.total,
                text=found.text,
                examples=found.examples,
                consequence=self.consequence,
                instead=self.instead,
            )


def check(
    name: str,
    *,
    title: str,
    consequence: str,
    instead: str,
    fault: bool = True,
    release_only: bool = False,
) -> Callable[[Search], Check]:
    """Return a decorator that makes a check of the function that searches; see `Check` for the arguments."""

    def declare(search: Search) -> Check:
        return Check(name, title, consequence, instead, search, fault, release_only)

    return declare


@dataclass(frozen=True)
class Finding:
    """An occurrence together with what its check says about it.

    Attributes:
        check: The name of the check.
        fault: Whether it is a fault; otherwise it is a measurement.
        title: The kind of fault, in words.
        where: The file, or files, as paths below the audited folder.
        count: The number of rows concerned.
        total: The number of rows examined; None where that has no meaning.
        text: A sentence that says what was found.
        examples: A few of the rows.
        consequence: The effect on a training or a measurement.
        instead: What this toolkit does about it.
    """

    check: str
    fault: bool
    title: str
    where: str
    count: int
    total: int | None
    text: str
    examples: tuple[str, ...]
    consequence: str
    instead: str
