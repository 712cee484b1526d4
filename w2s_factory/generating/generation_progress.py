"""The progress of a generation in another process: its responses by its journals, its pace by its log."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from w2s_factory.generating.generation_files import JOURNAL, OUTPUT
from w2s_factory.records.growing_file import GrowingFile
from w2s_factory.records.journal import whole_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

UNIT: Final = "responses"
"""The unit of the progress bar by which `generate` reports how many responses it has."""

_BAR: Final = re.compile(
    rf"\b(\d{{1,12}})/(\d{{1,12}}) \[(\d{{1,9}}(?::\d\d){{1,2}})<[^\]]* {UNIT}[^\]]*\]".encode()
)
"""A state of that bar, as tqdm prints it: done, total, and the time since the bar began."""

_READ: Final = 2**16
"""The bytes at the end of a log that are read for the last state of its bar."""


@dataclass(frozen=True)
class ResponsesProgress:
    """The progress of a generation.

    Attributes:
        done: The number of responses that are there, with those of an earlier run that it continues.
        total: The number of all responses.
        per_second: The responses per second since the engine was ready; None if nothing is measured yet.
        tokens_per_second: The tokens per second that the model generates; None if that is not known.
        remaining_seconds: The seconds until all are there at this pace; None if nothing is measured yet.
    """

    done: int
    total: int
    per_second: float | None = None
    tokens_per_second: float | None = None
    remaining_seconds: float | None = None


@dataclass
class _Counted:
    """The responses of a journal: their ids, and the tokens of those of which they are known."""

    ids: set[Any] = field(default_factory=set)
    rows: int = 0
    tokens: int = 0
    with_tokens: int = 0

    def take(self, line: bytes) -> None:
        row = whole_object(line)
        if row is None or not isinstance(row.get("id"), (int, str)):
            return  # the header, or a damaged line
        self.ids.add(row["id"])
        self.rows += 1
        if isinstance(row.get("tokens"), int):
            self.tokens += row["tokens"]
            self.with_tokens += 1


class _BarState(NamedTuple):
    """A state of the progress bar: responses done, all, the seconds since it began, and where it ends."""

    done: int
    total: int
    seconds: float
    end: int


class _Log(NamedTuple):
    """The end of a log, and when it was last written, in seconds since the epoch."""

    end: bytes
    changed: float


class FollowedGeneration:
    """A generation that another process carries out.

    The bar in its log says whether the engine is ready, and how many responses an earlier run had left: until
    it is there, journals may be those of an earlier run with other settings. It is printed every 30 seconds
    only, so what is done is counted in the journals.

    Args:
        outputs: The files that it writes; those named `output.jsonl` have a journal next to them.
        log: The file that gets what it prints; it is emptied when the generation starts.
    """

    def __init__(self, outputs: Iterable[Path], log: Path) -> None:
        journals = [file.with_name(JOURNAL) for file in outputs if file.name == OUTPUT]
        self._journals = [GrowingFile(journal, _Counted, _Counted.take) for journal in journals]
        self._log = log
        self._first: _BarState | None = None

    def progress(self, now: float, since: float) -> ResponsesProgress | None:
        """Return the progress; None while the engine is not ready.

        Args:
            now: The time, in seconds since the epoch.
            since: When the step started, in seconds since the epoch.
        """
        log = self._read_log(since)
        last = next(reversed([*_states(log.end)]), None) if log else None
        if log is None or last is None or self._first is None:
            return None
        counted = [journal.state() for journal in self._journals]
        done = min(max(sum(len(each.ids) for each in counted), last.done), last.total)
        # The bar began as long before its last state was printed as that state says.
        began = log.changed - last.seconds if last.end == len(log.end.rstrip()) else since
        fresh, seconds = done - self._first.done, now - began
        if last.done == last.total:  # it has ended, and its last state says how long it took
            seconds = last.seconds
        if fresh <= 0 or seconds <= 0:
            return ResponsesProgress(done, last.total)
        pace = fresh / seconds
        return ResponsesProgress(done, last.total, pace, _tokens(counted, pace), (last.total - done) / pace)

    def _read_log(self, since: float) -> _Log | None:
        """Return the end of the log, and keep the first state of its bar; None if it is of an earlier run."""
        try:
            if not self._log.is_file():  # a pipe would be waited for
                return None
            with self._log.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_mtime < since - 1:  # `since` may be a moment late
                    return None
                if self._first is None:
                    self._first = next(_states(file.read()), None)
                file.seek(max(0, status.st_size - _READ))
                return _Log(file.read(), status.st_mtime)
        except OSError:
            return None


def _states(text: bytes) -> Iterator[_BarState]:
    for match in _BAR.finditer(text):
        done, total, clock = match.groups()
        yield _BarState(int(done), int(total), _seconds(clock.decode()), match.end())


def _seconds(clock: str) -> float:
    """Return the seconds of a time as tqdm prints it (`01:30`, `2:01:30`)."""
    total = 0
    for part in clock.split(":"):
        total = total * 60 + int(part)
    return float(total)


def _tokens(counted: list[_Counted], pace: float) -> float | None:
    """Return the tokens per second, by the mean length of responses; None unless all lengths are known."""
    rows = sum(each.rows for each in counted)
    if rows == 0 or sum(each.with_tokens for each in counted) != rows:
        return None
    return sum(each.tokens for each in counted) / rows * pace
