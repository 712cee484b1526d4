"""The items of a large JSON list, read one at a time, so that memory does not grow with the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_CHUNK: Final = 1 << 20
"""Bytes that are read at a time; more where an item is longer."""

_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT: Final = re.compile(rb'\{(?:[^"{}\[\]]++|' + _STRING + rb")*+\}", re.DOTALL)
"""An object without objects or lists in it, which is found without looking at each bracket."""

_TOKEN: Final = re.compile(_STRING + rb'|["{}\[\]]', re.DOTALL)
"""A string, a bracket, or the quotation mark of a string whose end is not in the text."""

_BETWEEN: Final = re.compile(rb"[ \t\r\n]*+([,\]]?)[ \t\r\n]*+")


def list_objects(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the place, in bytes from the start of the file, and the text of each object in a JSON list.

    The texts are not checked; they may be broken JSON.

    Args:
        file: The file, at the bracket that opens the list or at white space before it.

    Raises:
        ValueError: What follows is not an object and the punctuation of a list, so that the file has to be
            read in another way.
    """
    start, text = file.tell(), file.read(_CHUNK)
    at = _opening(text)
    while True:
        end = _end(text, at)
        after = _BETWEEN.match(text, end) if end else None
        if end is None or after is None or after.end() == len(text):
            more = file.read(max(_CHUNK, len(text) - at))  # twice as much, so that the time is linear
            if more:
                start, text, at = start + at, text[at:] + more, 0
                continue
        if end is None or after is None or not after[1]:
            raise ValueError
        yield start + at, text[at:end]
        at = after.end()
        if after[1] == b"]":
            break
    if text[at:].strip() or file.read().strip():
        raise ValueError


def _opening(text: bytes) -> int:
    """Return the place of the first item.

    Raises:
        ValueError: The text does not begin with a bracket.
    """
    opening = re.match(rb"\s*\[[ \t\r\n]*", text)
    if opening is None:
        raise ValueError
    return opening.end()


def _end(text: bytes, start: int) -> int | None:
    """Return the end of the object that begins at a place; None if the text ends before it does.

    Raises:
        ValueError: Something other than an object begins there.
    """
    if text[start : start + 1] not in (b"{", b""):
        raise ValueError
    flat = _FLAT.match(text, start)
    if flat:
        return flat.end()
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] == b'"':
            return None
        elif token[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end()
    return None
