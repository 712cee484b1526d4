"""Training curves from LLaMA-Factory's logs, and the duration of each step."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.policy_movement import logged_curves, movement
from w2s_factory.records.manifest import last_lines
from w2s_factory.records.reader import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.experiment.run_contents import Job
    from w2s_factory.llamafactory.policy_movement import Movement


@dataclass(frozen=True)
class TrainingCurves:
    """The logged values of one training.

    Attributes:
        key: The key of the trained model.
        label: Its label.
        seed: The seed of the repetition.
        curves: Pairs of step and value, by the name of the value.
        config: Its arguments, as it noted them with its weights; None as long as it has none.
        method: The method of Stage II by which it was trained, or its key.
        pairs: The pairs that it was trained on, where these are not the published ones.
    """

    key: str
    label: str
    seed: int
    curves: dict[str, list[tuple[int, float]]]
    config: Mapping[str, Any] | None = None
    method: str = ""
    pairs: str | None = None

    @property
    def preference(self) -> bool:
        """Return whether it is a preference training."""
        return "rewards/chosen" in self.curves

    @property
    def movement(self) -> Movement | None:
        """Return how far a preference training moved the policy; None for other trainings."""
        return movement(self.curves, self.config)


def trainings(run: Run) -> list[TrainingCurves]:
    """Return the trainings that have a log, in the order of the contents.

    Raises:
        UserError: A log cannot be read.
    """
    found = []
    for model in run.contents.models:
        if model.training is not None and run.has(model.training):
            folder = run.at(model.training)
            curves = logged_curves(folder)
            if curves:
                config = _noted_config(folder)
                method = model.method or model.key
                found.append(
                    TrainingCurves(
                        model.key, model.label, model.seed, curves, config, method=method, pairs=model.pairs
                    )
                )
    return found


def _noted_config(folder: Path) -> Mapping[str, Any] | None:
    """Return the arguments in the manifest of a trained model, the last ones; None if it has none."""
    configs = [line.get("config") for line in last_lines(folder).values()]
    return next((config for config in reversed(configs) if isinstance(config, dict)), None)


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


def findings_of(trainings: Sequence[TrainingCurves]) -> dict[str, str]:
    """Return what is remarkable about preference trainings, by the key of the model, with their seeds."""
    found: dict[str, dict[str, list[int]]] = {}
    for training in trainings:
        if training.movement is not None and training.movement.finding:
            said = training.movement.finding.partition(":")[0]
            found.setdefault(training.key, {}).setdefault(said, []).append(training.seed)
    several = len({training.seed for training in trainings}) > 1
    return {
        key: "; ".join(
            f"{said} (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})" if several else said
            for said, seeds in clauses.items()
        )
        for key, clauses in found.items()
    }
