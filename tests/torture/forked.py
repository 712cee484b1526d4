"""A command in a forked process that is killed at one of its file operations, as `kill -9` may do."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from trial import run

from w2s_factory.records import outputs

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.utime", "fcntl.flock"}
"""Operations on files that Python announces, in addition to `open` for writing and writes of ours."""


@dataclass
class Moments:
    """The file operations of a process, which may end at one of them.

    Attributes:
        last: The number of the operation at which the process is killed; 0 to only count them.
        count: The number of operations so far.
    """

    last: int = 0
    count: int = 0

    def watch(self) -> None:
        """Count from now on; this cannot be undone in this process."""
        sys.addaudithook(self._heard)
        write, raw_write = os.write, outputs._NamedFile.write

        def written(file, data):
            self._pass(lambda: write(file, data[: len(data) // 2]))
            return write(file, data)

        def written_raw(raw, data):
            self._pass(lambda: raw_write(raw, bytes(data)[: len(data) // 2]))
            return raw_write(raw, data)

        os.write, outputs._NamedFile.write = written, written_raw

    def _heard(self, event: str, arguments: tuple[object, ...]) -> None:
        writes = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if writes or event in EVENTS:
            self._pass(lambda: None)

    def _pass(self, half) -> None:
        """Count an operation; at the last one do half of it, and be killed."""
        self.count += 1
        if self.count == self.last:
            half()
            os.kill(os.getpid(), signal.SIGKILL)


def operations(words: tuple[str, ...], folder: Path) -> int:
    """Return the number of file operations of a command."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        moments = Moments()
        _end_with(words, folder, moments, lambda: os.write(writing, str(moments.count).encode()))
    os.close(writing)
    with os.fdopen(reading, "rb") as count:
        number = int(count.read())
    os.waitpid(pid, 0)
    return number


def killed_at(words: tuple[str, ...], folder: Path, operation: int) -> int:
    """Run a command and kill it at an operation; return its exit code, -9 if it was killed."""
    return wait(started(words, folder, Moments(operation)))


def started(words: tuple[str, ...], folder: Path, moments: Moments | None = None) -> int:
    """Start a command in a forked process and return its id."""
    pid = os.fork()
    if pid == 0:
        _end_with(words, folder, moments, lambda: None)
    return pid


def wait(pid: int) -> int:
    """Return the exit code of a forked process, or less the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _end_with(words: tuple[str, ...], folder: Path, moments: Moments | None, last) -> NoReturn:
    """Run the command as all that is left of this process."""
    code = 99
    try:
        if moments is not None:
            moments.watch()
        code = run(words, folder).code
        last()
    finally:
        os._exit(code if code >= 0 else 98)
