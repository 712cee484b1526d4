"""Files to which another process appends lines: what their whole lines say, read on from look to look."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

StateT = TypeVar("StateT")


class GrowingFile(Generic[StateT]):
    """A file of lines that grows, and the state that follows from its lines.

    Each look reads what was added since the last one. The last line does not count until it is whole. If the
    file was replaced or cut, the state starts over; without the file, it is that of no lines.

    Args:
        path: The file, which need not exist yet.
        begin: Returns the state before the first line.
        take: Updates the state by a line, given with its line break.
    """

    def __init__(
        self, path: Path, begin: Callable[[], StateT], take: Callable[[StateT, bytes], None]
    ) -> None:
        self.path, self._begin, self._take = path, begin, take
        self._state, self._end, self._file = begin(), 0, (0, 0)

    def state(self) -> StateT:
        """Return the state after all whole lines that the file holds now."""
        try:
            if self.path.is_file():  # a pipe would be waited for
                with self.path.open("rb") as file:
                    self._read(file)
            else:
                self._start_over((0, 0))
        except FileNotFoundError:
            self._start_over((0, 0))
        except OSError:  # it cannot be read for the moment; the next look reads on
            pass
        return self._state

    def _read(self, file: BinaryIO) -> None:
        status = os.fstat(file.fileno())
        identity = (status.st_dev, status.st_ino)
        if identity != self._file or status.st_size < self._end:
            self._start_over(identity)
        file.seek(self._end)
        for line in file:
            if not line.endswith(b"\n"):
                break
            self._take(self._state, line)
            self._end += len(line)

    def _start_over(self, identity: tuple[int, int]) -> None:
        self._state, self._end, self._file = self._begin(), 0, identity
