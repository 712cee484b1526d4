"""Rows that are read again when they are needed: in memory are only their places, and their ids.

So files are joined, and written several times, that are larger than the memory.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from w2s_factory.errors import UserError
from w2s_factory.records.reader import Place, read_placed, reading_again
from w2s_factory.records.tables import RowSource, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from w2s_factory.records.rows import Form, Id

RowT = TypeVar("RowT")
ItemT = TypeVar("ItemT")

_TOGETHER: Final = 32_000_000
"""Characters of the texts that are worked on together."""


def own_id(row: Any, number: int) -> Id:  # noqa: ARG001  rows without an id have their number
    """Return the `id` of a row."""
    return cast("Id", row["id"])


class StoredRows(Generic[RowT]):
    """The rows of a file, of which only the places are in memory; or those of a table.

    Args:
        source: The file or the table.
        form: The form of its rows.
        keep: Whether the rows are kept in memory; None for those of small JSON lists alone, whose places are
            not found by reading the list as a whole.

    Attributes:
        source: The file or the table.
    """

    def __init__(self, source: RowSource, form: Form[RowT], *, keep: bool | None = None) -> None:
        self.source = source
        self._form, self._keep = form, keep
        self._starts, self._sizes, self._numbers = array("q"), array("q"), array("q")
        self._kept: list[tuple[Place, RowT]] = []
        self._in_list = False
        self._state: object = None

    def scan(self) -> Iterator[tuple[Place, RowT]]:
        """Yield the rows with their places, which are noted; to be called once.

        Raises:
            UserError: As `read_placed`.
        """
        by_item = self._keep is False
        for place, row in read_placed(self.source, self._form, by_item=by_item, opened=self._note_state):
            if place.size and not self._keep:
                self._in_list = place.in_list
                self._starts.append(place.start)
                self._sizes.append(place.size)
                self._numbers.append(place.number)
            else:
                self._kept.append((place, row))
            yield place, row

    def _note_state(self, file: BinaryIO) -> None:
        """Note the state of the open file: at its path there may be another one by now."""
        self._state = _state_of(os.fstat(file.fileno()))

    def scanned(self) -> StoredRows[RowT]:
        """Return the same after reading all rows.

        Raises:
            UserError: As `read_placed`.
        """
        for _ in self.scan():
            pass
        return self

    def __len__(self) -> int:
        return len(self._starts) + len(self._kept)

    def place(self, number: int) -> Place:
        """Return the place of a row, by its number from 0."""
        later = number - len(self._starts)
        if later >= 0:
            return self._kept[later][0]
        return Place(
            self.source, self._numbers[number], self._in_list, self._starts[number], self._sizes[number]
        )

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], RowT]]:
        """Yield a function that returns a row, by its number from 0.

        Raises:
            UserError: The file has changed since its rows were first read.
        """
        if not self._starts:
            yield lambda number: self._kept[number][1]
            return
        starts, sizes, kept = self._starts, self._sizes, self._kept
        try:
            with reading_again(Path(str(self.source))) as value:
                self._refuse_changes()
                if kept:
                    yield (
                        lambda n: value(starts[n], sizes[n]) if n < len(starts) else kept[n - len(starts)][1]
                    )
                else:
                    yield lambda number: cast("RowT", value(starts[number], sizes[number]))
        except Exception:
            self._refuse_changes()  # which is the reason of any other error
            raise
        self._refuse_changes()

    def _refuse_changes(self) -> None:
        if _state(self.source) != self._state:
            hint = "Start the command again when nothing else writes the file"
            raise UserError("has changed while it was read", file=self.source, hint=hint)

    def rows(self, numbers: Iterable[int] | None = None) -> Iterator[RowT]:
        """Yield rows by their numbers, from 0; all rows in order if None.

        Raises:
            UserError: As `opened`.
        """
        with self.opened() as row:
            yield from map(row, range(len(self)) if numbers is None else numbers)

    __iter__ = rows


class RowIndex(StoredRows[RowT]):
    """The rows of a file by id, of which only ids and places are in memory; or those of a table.

    Args:
        source: The file or the table.
        form: The form of its rows.
        id_of: Returns the id of a row, given with its number from 0.
        check: Raises an error about a row at its place; None for no further check.

    Attributes:
        numbers: The number of each row, from 0, by id.

    Raises:
        UserError: The file cannot be read as `form`, or has a duplicate id.
    """

    def __init__(
        self,
        source: RowSource,
        form: Form[RowT],
        id_of: Callable[[RowT, int], Id] = own_id,
        check: Callable[[RowT, Place], None] | None = None,
    ) -> None:
        super().__init__(source, form)
        self.numbers: dict[Id, int] = {}
        for number, (place, row) in enumerate(self.scan()):
            name = id_of(row, number)
            if self.numbers.setdefault(name, number) != number:
                raise place.error(f"duplicate id {name!r}", field="id")
            if check is not None:
                check(row, place)


def text_digest(*texts: str) -> bytes:
    """Return 16 bytes by which texts are known again without being kept."""
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.digest()


def together(items: Iterable[ItemT], size: Callable[[ItemT], int]) -> Iterator[list[ItemT]]:
    """Yield items in lists of about 32 million characters, so that workers are busy and memory is bounded.

    Args:
        items: The items.
        size: Returns the number of characters of an item.
    """
    batch: list[ItemT] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= _TOGETHER:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _state(source: RowSource) -> object:
    """Return what changes when a file is written; None for a table."""
    if isinstance(source, Table):
        return None
    try:
        return _state_of(Path(source).stat())
    except OSError:
        return "missing"


def _state_of(status: os.stat_result) -> object:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
