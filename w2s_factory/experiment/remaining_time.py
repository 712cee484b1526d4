"""The remaining time of a run and its steps, from what the run itself has measured and nothing else."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Durations:
    """The durations of finished steps.

    A step takes about as long as the same step of another repetition, or else as steps of its kind.
    """

    def __init__(self) -> None:
        self._of: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, name: str, kind: str, seconds: float) -> None:
        """Add a finished step."""
        self._of[f"step {_without_seed(name)}"].append(seconds)
        self._of[f"kind {kind}"].append(seconds)

    def expected(self, name: str, kind: str) -> float | None:
        """Return the mean duration of comparable steps in seconds; None if none has finished."""
        known = self._of.get(f"step {_without_seed(name)}") or self._of.get(f"kind {kind}")
        return sum(known) / len(known) if known else None


def _without_seed(name: str) -> str:
    """Return the name of a step without its repetition (`seed0/train_weak`)."""
    return name.partition("/")[2] or name


@dataclass(frozen=True)
class Work:
    """A step that is not finished.

    Attributes:
        seconds: Its remaining time.
        reads: The files it waits for.
        writes: The files it writes.
        amounts: What it occupies while it runs, by name (`cores`, `gpu`, `jobs`).
        running: Whether it has started.
    """

    seconds: float
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    amounts: Mapping[str, int] = field(default_factory=dict)
    running: bool = False


def run_seconds(work: Sequence[Work], limits: Mapping[str, int]) -> float:
    """Return the time until all steps are finished, each starting once its inputs and resources are there.

    Steps that could start at the same time do so in the order given, as Snakemake mostly does.

    Args:
        work: The steps that are not finished.
        limits: What there is to occupy, by name; what is not named is unlimited.
    """
    plan = _Simulation(work, limits)
    for index, each in enumerate(work):
        if each.running:
            plan.start(index)
    plan.start_ready()
    while plan.running:
        plan.finish_next()
        plan.start_ready()
    return plan.clock


class _Simulation:
    """A simulation of the remaining steps: which run, which could start, and what is free."""

    def __init__(self, work: Sequence[Work], limits: Mapping[str, int]) -> None:
        self._work, self._limits, self._used, self.clock = work, limits, Counter[str](), 0.0
        self.running: list[tuple[float, int]] = []
        writer = {file: index for index, each in enumerate(work) for file in each.writes}
        needs = [{writer[file] for file in each.reads if file in writer} for each in work]
        self._missing = [len(need) for need in needs]
        self._next: defaultdict[int, list[int]] = defaultdict(list)
        for index, need in enumerate(needs):
            for other in need:
                self._next[other].append(index)
        self._ready = [index for index, each in enumerate(work) if not needs[index] and not each.running]

    def start(self, index: int) -> None:
        """Start a step."""
        self._used.update(self._amounts(index))
        heapq.heappush(self.running, (self.clock + self._work[index].seconds, index))

    def start_ready(self) -> None:
        """Start all steps whose inputs are there and for which something is free."""
        for index in list(self._ready):
            amounts = self._amounts(index)
            if all(self._used[name] + amount <= self._limits[name] for name, amount in amounts.items()):
                self._ready.remove(index)
                self.start(index)

    def finish_next(self) -> None:
        """Go on to the end of the next step that finishes."""
        self.clock, index = heapq.heappop(self.running)
        self._used.subtract(self._amounts(index))
        for later in self._next[index]:
            self._missing[later] -= 1
            if self._missing[later] == 0 and not self._work[later].running:
                self._ready.append(later)
        self._ready.sort()

    def _amounts(self, index: int) -> dict[str, int]:
        """Return what a step occupies; Snakemake lowers what is above the limit."""
        limited = self._work[index].amounts.keys() & self._limits.keys()
        return {name: min(self._work[index].amounts[name], self._limits[name]) for name in limited}
