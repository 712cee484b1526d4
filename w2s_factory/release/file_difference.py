"""The first difference between a published file and the one rebuilt, in words."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records import read_object, read_placed
from w2s_factory.release.benchmark_splits import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AROUND = 25
"""The number of characters shown on either side of the first difference between two texts."""

_ABSENT = object()


def first_difference(file: Path, rebuilt: Path) -> str | None:
    """Return the first difference between a file and the one rebuilt; None if the bytes are equal."""
    here, there = file.read_bytes(), rebuilt.read_bytes()
    if here == there:
        return None
    try:
        found = next(_differences(file, rebuilt), None)
    except UserError as error:
        found = str(error)
    return found or _byte_difference(here, there)


def _differences(file: Path, rebuilt: Path) -> Iterator[str]:
    if file.name == "dataset_info.json":
        yield from _value_differences("entry", read_object(file), read_object(rebuilt))
        return
    rows = zip_longest(read_placed(file, ROWS), read_placed(rebuilt, ROWS))
    for number, (here, there) in enumerate(rows, 1):
        if here is None or there is None:
            yield f"row {number}: only in the {'rebuilt one' if here is None else 'file'}"
        elif here[1] != there[1]:
            name = f"row {number} (id {here[1].get('id')!r})" if "id" in here[1] else f"row {number}"
            yield from _value_differences(f"{name}: field", here[1], there[1])


def _value_differences(noun: str, here: dict[str, Any], there: dict[str, Any]) -> Iterator[str]:
    for key in [*here, *(key for key in there if key not in here)]:
        ours, theirs = here.get(key, _ABSENT), there.get(key, _ABSENT)
        if ours != theirs:
            yield f'{noun} "{key}": {_shown(ours, theirs)} here, {_shown(theirs, ours)} rebuilt'
    if list(here) != list(there):
        yield f"{noun}s in another order"


def _shown(value: Any, other: Any) -> str:
    """Return a value as text, of which only the part around the first difference to another is kept."""
    if value is _ABSENT:
        return "none"
    text, against = (item if isinstance(item, str) else repr(item) for item in (value, other))
    parts = next((n for n, (a, b) in enumerate(zip(text, against, strict=False)) if a != b), len(against))
    start = max(0, min(parts, len(text)) - _AROUND)
    piece = text[start : parts + _AROUND]
    return f"{'…' if start else ''}{piece!r}{'…' if parts + _AROUND < len(text) else ''}"


def _byte_difference(here: bytes, there: bytes) -> str:
    """Return the first difference between unequal bytes that hold the same rows."""
    parts = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
    if parts is None:
        return f"the file has {len(here):,} bytes, the rebuilt one {len(there):,}; one begins with the other"
    line = here[:parts].count(b"\n") + 1
    return f"line {line}: {here[parts:][:_AROUND]!r} here, {there[parts:][:_AROUND]!r} rebuilt"
