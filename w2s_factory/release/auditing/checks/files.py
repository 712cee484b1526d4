"""Files that can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.release.auditing.finding import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.auditing.corpus import Corpus


def unreadable(corpus: Corpus) -> Iterator[Found]:
    """Files that are no JSON, or hold something else than rows."""
    for name, problem in corpus.broken.items():
        yield Found(name, 1, None, problem)
