"""How long each step took, from Snakemake's benchmarks."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records.reading import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from w2s_factory.experiment.contents import Job
    from w2s_factory.experiment.reporting.runs import Run


@dataclass(frozen=True)
class Timed:
    """A job that was run, and its seconds."""

    job: Job
    seconds: float


@dataclass(frozen=True)
class KindTime:
    """All jobs of a kind."""

    kind: str
    jobs: int
    seconds: float


def times(run: Run) -> list[Timed]:
    """The jobs whose benchmark is there, in the order of the contents.

    Raises:
        UserError: A benchmark is not Snakemake's.
    """
    return [
        Timed(job, _seconds(run.at(job.benchmark))) for job in run.contents.jobs if run.has(job.benchmark)
    ]


def by_kind(timed: Sequence[Timed]) -> list[KindTime]:
    """The sums of each kind, the longest first."""
    kinds = dict.fromkeys(one.job.kind for one in timed)
    sums = [
        KindTime(
            kind,
            sum(one.job.kind == kind for one in timed),
            sum(one.seconds for one in timed if one.job.kind == kind),
        )
        for kind in kinds
    ]
    return sorted(sums, key=lambda one: -one.seconds)


def _seconds(path: Path) -> float:
    """The seconds of the table's one row."""
    try:
        lines = read_text(path).splitlines()
        seconds = float(next(csv.DictReader(lines, delimiter="\t"))["s"])
        if not math.isfinite(seconds):
            raise ValueError
        return seconds
    except (StopIteration, KeyError, TypeError, ValueError):
        raise UserError('expected a table with the column "s", of seconds', file=path) from None
