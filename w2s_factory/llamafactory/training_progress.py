"""The progress of a training in another process, by LLaMA-Factory's log (`trainer_log.jsonl`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

from w2s_factory.records.growing_file import GrowingFile
from w2s_factory.records.journal import whole_object

if TYPE_CHECKING:
    from pathlib import Path

TRAINER_LOG: Final = "trainer_log.jsonl"
"""LLaMA-Factory's log of a training, in its output folder: a line every `logging_steps` steps."""

_CLOCK: Final = re.compile(r"(?:(\d{1,6}) days?, )?(\d{1,6}):(\d\d):(\d\d)")
"""A time as Python writes a `timedelta` (`1 day, 2:03:04`), as LLaMA-Factory (0.5 to 0.9.5) logs it."""


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a training.

    Attributes:
        step: The last logged training step.
        total: The number of all steps.
        loss: The last logged loss; None if none is logged.
        seconds_per_step: The mean time of a step; None if nothing is measured yet.
        remaining_seconds: The seconds until the last step at this pace; None if nothing is measured yet.
    """

    step: int
    total: int
    loss: float | None = None
    seconds_per_step: float | None = None
    remaining_seconds: float | None = None


class _Logged(NamedTuple):
    """A logged step, and the seconds since the training began."""

    step: int
    seconds: float


@dataclass
class _Lines:
    """The log's lines about one training: its first and last logged step, all its steps, its last loss."""

    first: _Logged | None = None
    last: _Logged | None = None
    total: int = 0
    loss: float | None = None

    def take(self, line: bytes) -> None:
        row = whole_object(line)
        logged = _logged(row) if row is not None else None
        if row is None or logged is None:
            return
        if self.last is None or logged.step < self.last.step or logged.seconds < self.last.seconds:
            self.first, self.loss = logged, None  # another training goes on in the same log
        self.last, self.total = logged, row["total_steps"]
        if isinstance(row.get("loss"), (int, float)):
            self.loss = float(row["loss"])


class FollowedTraining:
    """A training that another process carries out.

    Args:
        folder: The folder to which it writes its model.
        resumes: Whether it may continue from a checkpoint, so that its first step is not known.
    """

    def __init__(self, folder: Path, *, resumes: bool = False) -> None:
        self._log = GrowingFile(folder / TRAINER_LOG, _Lines, _Lines.take)
        self._resumes = resumes

    def progress(self, now: float, since: float) -> TrainingProgress | None:
        """Return the progress; None before the first step is logged.

        Args:
            now: The time, in seconds since the epoch.
            since: When the step started, in seconds since the epoch; an older log is of an earlier training.
        """
        lines = self._log.state()
        try:
            changed = self._log.path.stat().st_mtime
        except OSError:
            return None
        if changed < since - 1 or lines.first is None or lines.last is None:
            return None
        begun = lines.first if self._resumes else _Logged(0, 0.0)
        steps, seconds = lines.last.step - begun.step, lines.last.seconds - begun.seconds
        if steps <= 0 or seconds <= 0:
            return TrainingProgress(lines.last.step, lines.total, lines.loss)
        each = seconds / steps
        left = (lines.total - lines.last.step) * each - (now - changed)
        return TrainingProgress(lines.last.step, lines.total, lines.loss, each, max(0.0, left))


def _is_count(value: object) -> TypeGuard[int]:
    """Return whether a value is a number of steps; a damaged log may hold any."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12


def _logged(row: dict[str, Any]) -> _Logged | None:
    """Return the step and time of a line; None if it does not have them."""
    step: object = row.get("current_steps")
    clock = _CLOCK.fullmatch(str(row.get("elapsed_time")))
    if clock is None or not _is_count(step) or not _is_count(row.get("total_steps")):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    return _Logged(step, float(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
