"""Journals: rows appended as they come, so that a run that is killed at any moment loses none of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from w2s_factory.errors import UserError
from w2s_factory.processes import lock_at_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

SYNC_SECONDS = 5.0
"""Seconds between two syncs to the disk. The operating system has each row at once: a kill loses none."""


class Journal:
    """An append-only `.jsonl` file with one writer: a header, then rows, each of them whole.

    The hashes of its lines are in a hidden file next to it, so that damaged lines are found.

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
        if not lines:
            self._hashes.delete()  # they are of a journal that was deleted
        if lines and whole_object(lines[-1]) is None:
            os.ftruncate(self._file, sum(map(len, lines[:-1])))
            lines.pop()
        entries, own = self._hashes.read(), _line(header)
        kept = [*_intact(lines, entries, own)]
        whole = [line for line in lines if whole_object(line) is not None]
        if 2 * sum(_hash(line) in entries for line in whole) < len(whole):
            entries, kept = [], whole  # most lines are not those of the hashes, which are of another journal
        if len(whole) < len(lines) and not any(entries) and not drop_broken:
            line = next(number for number, line in enumerate(lines, 1) if whole_object(line) is None)
            hint = "Delete this line to have its row made again, or start over with --restart"
            raise UserError("broken JSON within a journal", file=self.path, line=line, hint=hint)
        self.damaged = len(lines) - len(kept)
        if lines and kept[:1] != lines[:1]:
            if _hash(own) not in entries:
                return self._without_header(drop_broken=drop_broken)
            kept = [own, *kept]  # the damaged header was the same as ours
        self._not_hashed = [] if any(entries) else kept
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
        """Remove damaged lines: write the journal without them under another name, and rename that.

        Raises:
            UserError: The file cannot be written.
        """
        if not self.damaged:
            return
        path = Path(os.path.realpath(self.path))
        part = path.with_name(f".{path.name}.part")
        with _writable(self.path):
            own, lines = _line(self.header), self.path.read_bytes().splitlines(keepends=True)
            kept = [own, *(line for line in _intact(lines, self._hashes.read(), own) if line != own)]
            part.unlink(missing_ok=True)
            file = _locked(part)
            try:
                _write_all(file, b"".join(kept))
                os.fsync(file)
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                os.close(file)
                raise
            os.close(self._file)
            self._file, self._end, self.damaged = file, os.fstat(file).st_size, 0
            self._hashes.start(kept)

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
    entries = _Hashes(_hashes_of(path)).read()
    with path.open("rb") as file:
        return any(_intact([file.readline()], entries))


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
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=path) from None
        problem = "another process is writing it"
        try:
            if lock_at_once(file):
                if _is_at(path, file):
                    return file
                os.close(file)
                continue
        except OSError as error:
            problem = f"cannot be locked ({error.strerror})"
        os.close(file)
        raise UserError(problem, file=path)


def _is_at(path: Path, file: int) -> bool:
    """Return whether a path still names an open file: its writer may have replaced it before we locked it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


class _Hashes:
    """The hashes of a journal's lines, one a line and in their order.

    Each has a check of its own, since this file, too, can be damaged. Of all journals of a process, only the
    hashes that were added to last are open: a generation may have as many journals as a process may open
    files.

    Args:
        path: The file. Journals that earlier versions started have none.
    """

    _last: ClassVar[_Hashes | None] = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> list[bytes]:
        """Return the hashes; in the place of a damaged one an empty text."""
        try:
            return [_checked(entry) for entry in self._path.read_bytes().split()]
        except FileNotFoundError:
            return []

    def start(self, lines: Iterable[bytes]) -> None:
        """Write the hashes of lines that are in the journal already, all of them or none."""
        self.close()
        whole = self._path.with_name(f"{self._path.name}.part")
        whole.write_bytes(b"".join(map(_entry, lines)))
        whole.replace(self._path)

    def add(self, line: bytes) -> None:
        _write_all(self._opened(), _entry(line))

    def sync(self) -> None:
        os.fsync(self._opened())

    def _opened(self) -> int:
        if self._file is None:
            if _Hashes._last is not None:
                _Hashes._last.close()
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            _Hashes._last = self
        return self._file

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = _Hashes._last = None

    def delete(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)


def _entry(line: bytes) -> bytes:
    """Return a line's hash with its check, after a line break, which ends what was cut off by a kill."""
    text = _hash(line)
    return b"\n" + text + _check(text)


def _checked(entry: bytes) -> bytes:
    """Return the hash that an entry holds; an empty text if the entry is damaged."""
    text = entry[:-_CHECK]
    return text if entry == text + _check(text) else b""


_CHECK: Final = 4


def _check(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_CHECK // 2).hexdigest().encode()


def _hash(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=8).hexdigest().encode()


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row) + "\n").encode()


def _intact(lines: Sequence[bytes], entries: Sequence[bytes], own: bytes | None = None) -> Iterator[bytes]:
    """Yield the lines of a journal that are as they were written, as far as this is known.

    A line is damaged if the hash in its place is another one that belongs to no line. Where there is none,
    because an earlier version added the line, or a damaged one, the line counts as intact if it is JSON.

    Args:
        lines: The lines.
        entries: The hashes, in the order in which the lines were written.
        own: A header that is intact as it is, whatever its hash; None for none.
    """
    hashes = [*map(_hash, lines)]
    if hashes == entries[: len(hashes)]:
        yield from lines
        return
    places, known = _places(hashes, entries), {*entries}
    free = {*range(len(entries))}.difference(
        places[number] for number, text in enumerate(hashes) if text in known
    )
    for number, (line, text, place) in enumerate(zip(lines, hashes, places, strict=True)):
        other = entries[place] if place in free else b""
        if text in known or (number == 0 and line == own) or (not other and whole_object(line) is not None):
            yield line


def _places(hashes: Sequence[bytes], entries: Sequence[bytes]) -> list[int]:
    """Return the place of each line's entry, or where it should be after that of the line before.

    A line that was damaged and then added again has two entries: the later one is its own.
    """
    found: dict[bytes, list[int]] = {}
    for place, entry in enumerate(entries):
        found.setdefault(entry, []).append(place)
    places, after, gap = [], 0, 0
    for text in hashes:
        own = found.get(text, [])
        later = [own[at] for start in (after + gap, after) if (at := bisect_left(own, start)) < len(own)]
        places.append(later[0] if later else after + gap)
        after, gap = (later[0] + 1, 0) if later else (after, gap + 1)
    return places


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
