"""Journals: rows appended as they come, so that a run that is killed at any moment loses none of them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.processes import lock_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Self

SYNC_SECONDS = 5.0
"""Seconds between two syncs to the disk. The operating system has each row at once: a kill loses none."""


class Journal:
    """An append-only `.jsonl` file with one writer: a header, then rows, each of them whole.

    Args:
        path: The file. If it does not exist or has no whole line, it is started with `header`.
        header: The description of the run to which the rows belong.
        restart: Delete the content of the file.

    Attributes:
        header: The header in the file, which is an older one if the file existed.
        rows: The rows that were in the file. An incomplete last line is dropped.

    Raises:
        UserError: Another process is writing the file, it cannot be written, or a line within it is broken.
    """

    def __init__(self, path: str | Path, header: Mapping[str, Any], *, restart: bool = False) -> None:
        self.path = Path(path)
        self._file = _locked(self.path)
        try:
            with _writable(self.path):
                if restart:
                    os.ftruncate(self._file, 0)
                lines = _whole_lines(self._file, self.path)
                self._end = self._synced = os.fstat(self._file).st_size
            self.header: dict[str, Any] = lines[0] if lines else dict(header)
            self.rows: list[dict[str, Any]] = lines[1:]
            self._next_sync = time.monotonic() + SYNC_SECONDS
            if not lines:
                self.append(header)
        except BaseException:
            os.close(self._file)
            raise

    def start_over(self, header: Mapping[str, Any]) -> None:
        """Delete the rows and start over with another header; this process stays the only writer."""
        with _writable(self.path):
            os.ftruncate(self._file, 0)
        self.header, self.rows = dict(header), []
        self._end = self._synced = 0
        self.append(header)

    def append(self, row: Mapping[str, Any]) -> None:
        """Append a row.

        Raises:
            UserError: It cannot be written, because the disk is full, for example; earlier rows are kept.
        """
        line = (json.dumps(row) + "\n").encode()
        try:
            _write_all(self._file, line)
        except OSError as error:
            with contextlib.suppress(OSError):  # else the next start drops the incomplete line
                os.ftruncate(self._file, self._end)
            raise UserError(
                f"cannot be written ({error.strerror}); what was written before is kept",
                file=self.path,
                hint="Free disk space and start the same command again",
            ) from None
        self._end += len(line)
        if time.monotonic() >= self._next_sync:
            self._sync()

    def close(self) -> None:
        """Write everything to the disk and release the lock."""
        try:
            self._sync()
        finally:
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sync(self) -> None:
        if self._end != self._synced:
            with _writable(self.path):
                os.fsync(self._file)
            self._synced = self._end
        self._next_sync = time.monotonic() + SYNC_SECONDS


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Raise an error of the operating system, which does not name the journal, as a `UserError` that does."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=path) from None


def _locked(path: Path) -> int:
    """Open a file for appending, with this process as its only writer, and return its descriptor."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=path) from None
    problem = "another process is writing it"
    try:
        if lock_at_once(file):
            return file
    except OSError as error:
        problem = f"cannot be locked ({error.strerror})"
    os.close(file)
    raise UserError(problem, file=path)


def _whole_lines(file: int, path: Path) -> list[dict[str, Any]]:
    """Return the objects in the file, after dropping an incomplete last line."""
    with path.open("rb") as reading:
        lines = reading.read().splitlines(keepends=True)
    rows = [_object(line) for line in lines]
    if rows and rows[-1] is None:
        os.ftruncate(file, sum(map(len, lines[:-1])))
        rows.pop()
    whole = [row for row in rows if row is not None]
    if len(whole) < len(rows):
        raise UserError("broken JSON within a journal", file=path, line=rows.index(None) + 1)
    return whole


def _object(line: bytes) -> dict[str, Any] | None:
    """Return the object that a line holds; None if the line is incomplete."""
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
