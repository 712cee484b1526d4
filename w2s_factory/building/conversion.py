"""Pair files between the published form and the one LLaMA-Factory takes from 0.8 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.records import PairForm, as_columns, read_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from w2s_factory.records import Pair


def in_form(pairs: Iterable[Pair], form: PairForm) -> Iterator[Mapping[str, Any]]:
    """Pairs in the named form."""
    return (as_columns(pair) if form == "columns" else pair for pair in pairs)
