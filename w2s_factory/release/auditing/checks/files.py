"""Files that can't be read, and rows that are not of their file's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.release.auditing.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.auditing.corpus import Corpus


def unreadable(corpus: Corpus) -> Iterator[Found]:
    """Files that are no JSON, or hold something else than rows."""
    for name, problem in corpus.broken.items():
        yield Found(name, 1, None, problem)


def malformed(corpus: Corpus) -> Iterator[Found]:
    """Rows that lack a key of their kind, or have a value of another type there."""
    for file in corpus.files:
        if file.malformed:
            count, total = len(file.malformed), len(file.rows) + len(file.malformed)
            text = f"{count:,} of {total:,} rows are malformed; the other checks leave them out"
            yield Found(file.name, count, total, text, few(file.malformed))
