"""Training curves from LLaMA-Factory's logs, and the duration of each step."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError
from w2s_factory.records import Form, read, read_object
from w2s_factory.records.reader import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.experiment.run_contents import Job

LOG, STATE = "trainer_log.jsonl", "trainer_state.json"
CURVES: Final = (
    "loss",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/accuracies",
    "logps/chosen",
    "logps/rejected",
)
"""The trainer's names of the values that are drawn; all but the loss exist only in preference learning."""

_LINE: Form[Any] = Form("lines of a training log", {"current_steps": (int,)})


@dataclass(frozen=True)
class TrainingCurves:
    """The logged values of one training.

    Attributes:
        key: The key of the trained model.
        label: Its label.
        seed: The seed of the repetition.
        curves: Pairs of step and value, by the name of the value.
    """

    key: str
    label: str
    seed: int
    curves: dict[str, list[tuple[int, float]]]

    @property
    def preference(self) -> bool:
        """Return whether it is a preference training."""
        return "rewards/chosen" in self.curves


def trainings(run: Run) -> list[TrainingCurves]:
    """Return the trainings that have a log, in the order of the contents.

    Raises:
        UserError: A log cannot be read.
    """
    found = []
    for model in run.contents.models:
        if model.training is not None and run.has(model.training):
            curves = _curves(run.at(model.training))
            if curves:
                found.append(TrainingCurves(model.key, model.label, model.seed, curves))
    return found


def _curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the curves of a training from its final state, or else from the log that it writes."""
    if (folder / STATE).is_file():
        history = read_object(folder / STATE).get("log_history", [])
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise UserError("expected a list of objects", file=folder / STATE, field="log_history")
        return _named(history, "step")
    if (folder / LOG).is_file():
        return _named(read(folder / LOG, _LINE), "current_steps")
    return {}


def _named(rows: Iterable[Mapping[str, Any]], step: str) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name in CURVES:
            if isinstance(row.get(name), (int, float)) and isinstance(row.get(step), int):
                curves.setdefault(name, []).append((row[step], float(row[name])))
    return curves


@dataclass(frozen=True)
class Timed:
    """A finished job and its duration in seconds."""

    job: Job
    seconds: float


@dataclass(frozen=True)
class KindTime:
    """The number of jobs of a kind, and the sum of their durations."""

    kind: str
    jobs: int
    seconds: float


def times(run: Run) -> list[Timed]:
    """Return the jobs whose duration is recorded, in the order of the contents.

    Raises:
        UserError: The file of a duration is not of Snakemake's form.
    """
    return [
        Timed(job, recorded_seconds(run.at(job.benchmark)))
        for job in run.contents.jobs
        if run.has(job.benchmark)
    ]


def by_kind(timed: Sequence[Timed]) -> list[KindTime]:
    """Return the sums of each kind, the longest first."""
    kinds = dict.fromkeys(entry.job.kind for entry in timed)
    sums = [
        KindTime(
            kind,
            sum(entry.job.kind == kind for entry in timed),
            sum(entry.seconds for entry in timed if entry.job.kind == kind),
        )
        for kind in kinds
    ]
    return sorted(sums, key=lambda kind: -kind.seconds)


def recorded_seconds(path: Path) -> float:
    """Return the seconds in the only row of Snakemake's table about a job.

    Raises:
        UserError: The file is not such a table.
    """
    try:
        lines = read_text(path).splitlines()
        seconds = float(next(csv.DictReader(lines, delimiter="\t"))["s"])
        if not math.isfinite(seconds):
            raise ValueError
        return seconds
    except (StopIteration, KeyError, TypeError, ValueError):
        raise UserError('expected a table with the column "s", of seconds', file=path) from None
