"""A journal: rows appended as they come, so that work killed at any moment loses none of them."""

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
"""Rows are with the operating system at once (a killed process loses none), on the disk this much later."""


class Journal:
    """An append-only `.jsonl` of one writer: a header, then rows, each of which is there whole or not at all.

    Args:
        path: The file. If it is not there, or was killed within its first line, it is begun with `header`.
        header: What the rows belong to.
        anew: Throw away what is in the file.

    Attributes:
        header: The header in the file, which is an older one if the file was there.
        rows: The rows that were in the file. A last line that was torn is dropped.

    Raises:
        UserError: Another process is writing the file, it can't be written, or a line within it is broken.
    """

    def __init__(self, path: str | Path, header: Mapping[str, Any], *, anew: bool = False) -> None:
        self.path = Path(path)
        self._file = _locked(self.path)
        try:
            with _writable(self.path):
                if anew:
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

    def begin_anew(self, header: Mapping[str, Any]) -> None:
        """Throw away the rows; this process stays the only writer."""
        with _writable(self.path):
            os.ftruncate(self._file, 0)
        self.header, self.rows = dict(header), []
        self._end = self._synced = 0
        self.append(header)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row.

        Raises:
            UserError: It can't be written (a full disk, say); the rows before it stay.
        """
        line = (json.dumps(row) + "\n").encode()
        try:
            _write_all(self._file, line)
        except OSError as error:
            with contextlib.suppress(OSError):  # else the next start cuts the torn line off
                os.ftruncate(self._file, self._end)
            raise UserError(
                f"cannot be written ({error.strerror}); what was written before is kept",
                file=self.path,
                hint="Make room and start the same command again",
            ) from None
        self._end += len(line)
        if time.monotonic() >= self._next_sync:
            self._sync()

    def close(self) -> None:
        """Bring everything to the disk and let others write."""
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
    """Report what the system says of the journal, without naming it, as the user's to fix."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=path) from None


def _locked(path: Path) -> int:
    """The file open for appending, this process its only writer."""
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
    """The objects in the file, from which a torn last line is cut off."""
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
    """The object a line holds; None if the line is torn."""
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
