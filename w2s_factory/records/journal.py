"""Journals: rows appended as they come, so that a run that is killed at any moment loses none of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.processes import lock_at_once

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

SYNC_SECONDS = 5.0
"""Seconds between two syncs to the disk. The operating system has each row at once: a kill loses none."""


class Journal:
    """An append-only `.jsonl` file with one writer: a header, then rows, each of them whole.

    While it grows, the hashes of its lines are in a hidden file next to it, so that damaged lines are found.

    Args:
        path: The file. If it does not exist or has no whole line, it is started with `header`.
        header: The description of the run to which the rows belong.
        restart: Delete the content of the file.
        drop_broken: Drop lines that are not JSON also if their hashes are not known.

    Attributes:
        header: The header in the file, which is an older one if the file existed.
        rows: The rows that were in the file. An incomplete last line and damaged lines are dropped.
        damaged: The number of damaged lines that were dropped.

    Raises:
        UserError: Another process is writing the file, it cannot be written, or a line within it is broken.
    """

    def __init__(
        self, path: str | Path, header: Mapping[str, Any], *, restart: bool = False, drop_broken: bool = False
    ) -> None:
        self.path = Path(path)
        self._file = _locked(self.path)
        self._hashes = _Hashes(_hashes_of(self.path))
        self._not_hashed: list[bytes] = []
        try:
            with _writable(self.path):
                if restart:
                    self._clear()
                kept = self._intact_lines(header, drop_broken=drop_broken)
                self._end = self._synced = os.fstat(self._file).st_size
            rows = [row for row in map(whole_object, kept) if row is not None]
            self.header: dict[str, Any] = rows[0] if rows else dict(header)
            self.rows: list[dict[str, Any]] = rows[1:]
            self._next_sync = time.monotonic() + SYNC_SECONDS
            if not rows:
                self.append(header)
        except BaseException:
            self._hashes.close()
            os.close(self._file)
            raise

    def _clear(self) -> None:
        os.ftruncate(self._file, 0)
        self._hashes.delete()
        self.damaged, self._not_hashed = 0, []

    def _intact_lines(self, header: Mapping[str, Any], *, drop_broken: bool) -> list[bytes]:
        """Return the lines that are whole and as they were written; drop an incomplete last line.

        Damaged lines stay in the file until the journal is finished: a kill while it is written again could
        lose what follows them.
        """
        lines = self.path.read_bytes().splitlines(keepends=True)
        if lines and whole_object(lines[-1]) is None:
            os.ftruncate(self._file, sum(map(len, lines[:-1])))
            lines.pop()
        known = self._hashes.read()
        broken = next((number for number, line in enumerate(lines, 1) if whole_object(line) is None), None)
        if broken and known is None and not drop_broken:
            hint = "Delete this line to have its row made again, or start over with --restart"
            raise UserError("broken JSON within a journal", file=self.path, line=broken, hint=hint)
        kept = [line for line in lines if _is_intact(line, known)]
        self.damaged = len(lines) - len(kept)
        if lines and kept[:1] != lines[:1]:
            if _hash(own := _line(header)) not in (known or ()):
                return self._without_header(drop_broken=drop_broken)
            kept = [own, *kept]  # the damaged header was the same as ours
        self._not_hashed = kept if known is None else []
        return kept

    def _without_header(self, *, drop_broken: bool) -> list[bytes]:
        """Start over, if broken lines may be dropped, since it is not known to which run the rows belong."""
        if not drop_broken:
            hint = "Start over with --restart"
            raise UserError(
                "the settings of its run are damaged or not ours", file=self.path, line=1, hint=hint
            )
        self._clear()
        return []

    def finish(self) -> None:
        """Remove what only a growing journal needs: damaged lines, and the hashes of its lines.

        Raises:
            UserError: The file cannot be written.
        """
        with _writable(self.path):
            if self.damaged:
                known = self._hashes.read()
                lines = self.path.read_bytes().splitlines(keepends=True)[1:]
                kept = b"".join(line for line in lines if _is_intact(line, known))
                os.ftruncate(self._file, 0)
                _write_all(self._file, _line(self.header) + kept)
                self._end, self.damaged = os.fstat(self._file).st_size, 0
            self._hashes.delete()

    def start_over(self, header: Mapping[str, Any]) -> None:
        """Delete the rows and start over with another header; this process stays the only writer."""
        with _writable(self.path):
            self._clear()
        self.header, self.rows = dict(header), []
        self._end = self._synced = 0
        self.append(header)

    def append(self, row: Mapping[str, Any]) -> None:
        """Append a row.

        Raises:
            UserError: It cannot be written, because the disk is full, for example; earlier rows are kept.
        """
        line = _line(row)
        try:
            if self._not_hashed:  # an earlier version or a finished run left the journal
                self._hashes.start(self._not_hashed)
                self._not_hashed = []
            self._hashes.add(line)  # first, so that no row is without its hash
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
            self._hashes.close()
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
                self._hashes.sync()
                os.fsync(self._file)
            self._synced = self._end
        self._next_sync = time.monotonic() + SYNC_SECONDS


def has_intact_header(path: Path) -> bool:
    """Return whether the first line of a journal is as it was written, as far as its hash is known."""
    known = _Hashes(_hashes_of(path)).read()
    with path.open("rb") as file:
        return known is None or _hash(file.readline()) in known


def _hashes_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.hashes")


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


class _Hashes:
    """The hashes of a journal's lines, one a line, in a file that exists only while the journal grows.

    Args:
        path: The file. Journals that earlier versions started have none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> frozenset[bytes] | None:
        """Return the hashes; None if there are none."""
        try:
            return frozenset(self._path.read_bytes().split()) or None
        except FileNotFoundError:
            return None

    def start(self, lines: Iterable[bytes]) -> None:
        """Write the hashes of lines that are in the journal already, all of them or none."""
        whole = self._path.with_name(f"{self._path.name}.part")
        whole.write_bytes(b"".join(b"\n" + _hash(line) for line in lines))
        whole.replace(self._path)

    def add(self, line: bytes) -> None:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o666)
        _write_all(self._file, b"\n" + _hash(line))  # the line break ends what a full disk or a kill cut off

    def sync(self) -> None:
        if self._file is not None:
            os.fsync(self._file)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def delete(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)


def _hash(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=8).hexdigest().encode()


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row) + "\n").encode()


def _is_intact(line: bytes, known: Collection[bytes] | None) -> bool:
    """Return whether a line is as it was written, as far as this is known."""
    return whole_object(line) is not None if known is None else _hash(line) in known


def whole_object(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a line of a growing file holds; None if it is incomplete or broken."""
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
