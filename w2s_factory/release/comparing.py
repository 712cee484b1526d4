"""Where two files differ first: the row and the key, or the line."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records import read_object, read_placed
from w2s_factory.release.sources import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AROUND = 25
"""Characters shown to either side of where two texts part."""

_NOTHING = object()


def first_difference(here: Path, made: Path) -> str | None:
    """What differs first between a file and the one made to equal it; None if the bytes are the same."""
    ours, theirs = here.read_bytes(), made.read_bytes()
    if ours == theirs:
        return None
    try:
        found = next(_differences(here, made), None)
    except UserError as error:
        found = str(error)
    return found or _of_bytes(ours, theirs)


def _differences(here: Path, made: Path) -> Iterator[str]:
    if here.name == "dataset_info.json":
        yield from _of_values("entry", read_object(here), read_object(made))
        return
    rows = zip_longest(read_placed(here, ROWS), read_placed(made, ROWS))
    for number, (one, other) in enumerate(rows, 1):
        if one is None or other is None:
            yield f"row {number}: only in the {'one made' if one is None else 'file'}"
        elif one[1] != other[1]:
            name = f"row {number} (id {one[1].get('id')!r})" if "id" in one[1] else f"row {number}"
            yield from _of_values(f"{name}: field", one[1], other[1])


def _of_values(what: str, one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    for key in [*one, *(key for key in other if key not in one)]:
        ours, theirs = one.get(key, _NOTHING), other.get(key, _NOTHING)
        if ours != theirs:
            yield f'{what} "{key}": {_shown(ours, theirs)} here, {_shown(theirs, ours)} made'
    if list(one) != list(other):
        yield f"{what}s in another order"


def _shown(value: Any, other: Any) -> str:
    """A value, of a text the part around the first character that differs."""
    if value is _NOTHING:
        return "none"
    text, against = (item if isinstance(item, str) else repr(item) for item in (value, other))
    parts = next((n for n, (a, b) in enumerate(zip(text, against, strict=False)) if a != b), len(against))
    start = max(0, min(parts, len(text)) - _AROUND)
    piece = text[start : parts + _AROUND]
    return f"{'…' if start else ''}{piece!r}{'…' if parts + _AROUND < len(text) else ''}"


def _of_bytes(ours: bytes, theirs: bytes) -> str:
    """Where bytes part that mean the same rows."""
    parts = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    if parts is None:
        return f"the file has {len(ours):,} bytes, the one made {len(theirs):,}, of which the first agree"
    line = ours[:parts].count(b"\n") + 1
    return f"line {line}: {ours[parts:][:_AROUND]!r} here, {theirs[parts:][:_AROUND]!r} made"
