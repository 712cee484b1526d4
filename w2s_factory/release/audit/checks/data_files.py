"""Checks of whether files can be read and their rows have the form of their kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.release.audit.finding import Occurrence, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus


@check(
    "unreadable",
    title="Files that cannot be read",
    consequence="LLaMA-Factory stops, or skips them.",
    instead="Every file is read strictly; an error names file, line and field.",
)
def unreadable(corpus: Corpus) -> Iterator[Occurrence]:
    """Find files that are not JSON, or hold something other than rows."""
    for name, problem in corpus.broken.items():
        yield Occurrence(name, 1, None, problem)


@check(
    "malformed-rows",
    title="Rows that do not have the form of their file",
    consequence="LLaMA-Factory stops at them, or trains on something that is not a response.",
    instead="Every row is checked when it is read; an error names file, line and field.",
)
def malformed_rows(corpus: Corpus) -> Iterator[Occurrence]:
    """Find rows that lack a key of their kind, or have a value of another type there."""
    for file in corpus.files:
        total, wrong, shown = file.malformed
        if wrong:
            text = f"{wrong:,} of {total:,} rows are malformed; the other checks leave them out"
            yield Occurrence(file.name, wrong, total, text, shown)
