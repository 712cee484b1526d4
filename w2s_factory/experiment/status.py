"""The status of a run, read from the files in its folder: by `run` for its own display, and by `status`."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from w2s_factory.errors import UserError
from w2s_factory.experiment import slurm
from w2s_factory.experiment.remaining_time import Durations, Work, capacity, run_seconds
from w2s_factory.experiment.report.folder import open_run
from w2s_factory.experiment.report.training_curves import recorded_seconds
from w2s_factory.experiment.run_lock import Activity, activity
from w2s_factory.experiment.slurm_jobs import RECORD, left_jobs, snakemake_note
from w2s_factory.experiment.workflow import LOG, planned_steps
from w2s_factory.experiment.workflow_progress import Progress, Submission
from w2s_factory.generating.generation_progress import FollowedGeneration, ResponsesProgress
from w2s_factory.llamafactory.training_progress import FollowedTraining, TrainingProgress
from w2s_factory.records.growing_file import GrowingFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.experiment.workflow import PlannedStep

StepState: TypeAlias = Literal["waiting", "running", "done", "failed", "restored"]
"""The state of a step; a restored one was repeated alone, since files that it had written were damaged."""

COMPLETE: Final = ("done", "restored")
"""The states of steps whose files are there and up to date."""


@dataclass(frozen=True)
class StepStatus:
    """The status of a step.

    Attributes:
        name: The step.
        kind: Its kind: `data`, `train`, `export`, `generate`, `score`, `vote` or `report`.
        state: Its state. A step whose job waits in Slurm's queue is waiting.
        log: The file of its output, relative to the run's folder.
        seconds: How long it took, or, while it runs, has taken so far; None if that is not known.
        remaining_seconds: The remaining time of a running step: by its own progress, or by the time that such
            steps took, and then 0 if it takes longer; None if nothing comparable is measured yet.
        responses: The progress of a running generation; None before the engine is ready.
        training: The progress of a running training; None before its first step is logged.
        job: The number of its job in Slurm; None if it has none.
    """

    name: str
    kind: str
    state: StepState
    log: str
    seconds: float | None = None
    remaining_seconds: float | None = None
    responses: ResponsesProgress | None = None
    training: TrainingProgress | None = None
    job: str | None = None


@dataclass(frozen=True)
class RunStatus:
    """The status of a run.

    Attributes:
        folder: The run's folder.
        name: The experiment's name.
        active: Whether a run is active in the folder; None if that cannot be known from this machine.
        process: The number of the active run's process; None if there is none, or it is not known.
        host: The machine of that process; "" likewise.
        steps: All steps of the plan, in its order.
        seconds: How long the active run has worked on its steps; None without one.
        quiet_seconds: The time since the run last wrote to a log; None if it has written none.
        remaining_seconds: The remaining time of the active run, without steps of kinds that are not measured
            yet; None if nothing is measured yet, no run is active, or a step failed.
        unmeasured: The kinds of steps that are left and that the remaining time lacks.
        jobs_left: The jobs in Slurm that an earlier run left; None if Slurm does not say.
    """

    folder: str
    name: str
    active: bool | None
    process: int | None
    host: str
    steps: tuple[StepStatus, ...]
    seconds: float | None = None
    quiet_seconds: float | None = None
    remaining_seconds: float | None = None
    unmeasured: tuple[str, ...] = ()
    jobs_left: tuple[str, ...] | None = ()

    @property
    def counts(self) -> dict[StepState, int]:
        """Return the number of steps in each state."""
        counted = Counter(step.state for step in self.steps)
        return {state: counted[state] for state in get_args(StepState)}

    @property
    def complete(self) -> bool:
        """Return whether all steps are complete."""
        return all(step.state in COMPLETE for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, with the counts; `status --json` prints it."""
        steps = {"steps": [asdict(step) for step in self.steps]}
        return {**asdict(self), "complete": self.complete, "counts": self.counts, **steps}


def read_status(folder: str | Path) -> RunStatus:
    """Return the status of a run, active or not, from the files in its folder.

    Nothing is written, and a run that is active is not disturbed. Slurm is asked only about jobs that an
    earlier run may have left, and about a run that itself is a job.

    Raises:
        UserError: The folder is not that of a run.
    """
    found = activity(Path(folder))
    left: tuple[str, ...] | None = ()
    if found.active is False and (Path(folder) / RECORD).exists():
        try:
            left = tuple(job.id for job in left_jobs(Path(folder)))
        except UserError:  # Slurm does not answer
            left = None
    return RunReader(folder, found, left).read()


def _silent() -> Progress:
    """Return the progress of a workflow whose steps are not told to anyone."""
    return Progress({}, lambda _: None)


def _take(workflow: Progress, line: bytes) -> None:
    workflow.take(line.decode("utf-8", "replace"))


class RunReader:
    """A run whose status is read again and again; each time only what was added to its files is read.

    Args:
        folder: The run's folder.
        active: Whether a run is active in it.
        left: The jobs in Slurm that an earlier run left; None if Slurm does not say.

    Raises:
        UserError: The folder is not that of a run.
    """

    def __init__(self, folder: str | Path, active: Activity, left: tuple[str, ...] | None = ()) -> None:
        run = open_run(folder)
        self.activity, self._left = active, left
        self._folder, self._name = Path(folder), run.contents.name
        self._kinds = {job.name: job.kind for job in run.contents.jobs} | {"report": "report"}
        self._steps = planned_steps(Path(folder))
        self._log = GrowingFile(Path(folder) / LOG, _silent, _take)
        self._complete: set[str] = set()
        self._took: dict[str, float | None] = {}
        self._followed: dict[str, tuple[float, FollowedGeneration | FollowedTraining]] = {}

    def read(self) -> RunStatus:
        """Return the status now."""
        now, workflow = time.time(), self._log.state()
        steps = [self._status(step, workflow, now) for step in self._steps]
        durations = Durations()
        for status in steps:
            if status.state in COMPLETE and status.seconds is not None:
                durations.add(status.name, status.kind, status.seconds)
        steps = [_with_remaining(status, durations) for status in steps]
        is_active = self.activity.active is not False
        remaining, unmeasured = self._remaining(steps, durations, workflow) if is_active else (None, ())
        began = [workflow.began[rule] for rule in workflow.events if rule in workflow.began]
        return RunStatus(
            folder=str(self._folder),
            name=self._name,
            active=self.activity.active,
            process=self.activity.process if is_active else None,
            host=self.activity.host if is_active else "",
            steps=tuple(steps),
            seconds=max(0.0, now - min(began)) if is_active and began else None,
            quiet_seconds=self._quiet(steps, now),
            remaining_seconds=remaining,
            unmeasured=unmeasured,
            jobs_left=self._left,
        )

    def _status(self, step: PlannedStep, workflow: Progress, now: float) -> StepStatus:
        submission = self._job(step, workflow)
        state = self._state(step, workflow)
        status = StepStatus(
            name=step.name,
            kind=self._kinds.get(step.name, "data"),
            state=state,
            log=step.log,
            job=submission.job if submission and state in ("waiting", "running") else None,
        )
        if state in COMPLETE:
            return replace(status, seconds=self._duration(step))
        if state != "running":
            return status
        began = self._began(step, workflow)
        if began is None:
            return status
        return replace(status, seconds=max(0.0, now - began), **self._progress(step, status.kind, began, now))

    def _state(self, step: PlannedStep, workflow: Progress) -> StepState:
        """Return the state of a step: by Snakemake's last call, or by its files if that does not name it."""
        event = workflow.events.get(step.rule)
        if event == "failed":
            return "failed"
        if event == "started" and not self._has_ended_since(step, workflow):
            self._complete.discard(step.rule)
            self._took.pop(step.rule, None)
            return "running" if self._runs(step, workflow) else "waiting"
        if event is None and step.rule in workflow.listed:
            return "waiting"
        if step.rule not in self._complete:
            if not all((self._folder / file).exists() for file in step.writes):
                return "waiting"
            self._complete.add(step.rule)
        return "restored" if step.rule in workflow.restored else "done"

    def _job(self, step: PlannedStep, workflow: Progress) -> Submission | None:
        """Return the job of a step that waits or runs in Slurm; None if there is none, or no longer."""
        submission = workflow.submitted.get(step.rule)
        gone = self.activity.active is False and submission and submission.job not in (self._left or ())
        return None if gone else submission

    def _has_ended_since(self, step: PlannedStep, workflow: Progress) -> bool:
        """Return whether a started step was completed by its job in Slurm after `run` itself was killed."""
        return (
            self.activity.active is False
            and self._job(step, workflow) is None
            and not any(snakemake_note(self._folder, "incomplete", file).exists() for file in step.writes)
        )

    def _runs(self, step: PlannedStep, workflow: Progress) -> bool:
        """Return whether a started step runs: its job may still wait, or it may have ended with `run`."""
        submission = self._job(step, workflow)
        if self.activity.active is False and submission is None:
            return False
        if step.local or f"--executor {slurm.NAME} " not in f"{workflow.command} ":
            return True
        return submission is not None and submission.log.exists()  # Slurm writes it from the job's start on

    def _began(self, step: PlannedStep, workflow: Progress) -> float | None:
        """Return when a running step began; for a job in Slurm by the job's own log."""
        submission = workflow.submitted.get(step.rule)
        if submission is None:
            return workflow.began.get(step.rule)
        own = _silent()
        with contextlib.suppress(OSError), submission.log.open("rb") as log:
            for line in log:
                _take(own, line)
        return own.began.get(step.rule)

    def _duration(self, step: PlannedStep) -> float | None:
        """Return the recorded duration of a complete step."""
        if self._took.get(step.rule) is None:
            with contextlib.suppress(UserError):  # it is not written yet, or damaged
                self._took[step.rule] = recorded_seconds(self._folder / step.benchmark)
        return self._took.get(step.rule)

    def _progress(self, step: PlannedStep, kind: str, began: float, now: float) -> dict[str, Any]:
        """Return the own progress of a running step, by the name of its field."""
        if kind not in ("generate", "train"):
            return {}
        if self._followed.get(step.rule, (None,))[0] != began:
            self._followed[step.rule] = (began, self._follow(step, kind))
        found = self._followed[step.rule][1].progress(now, began)
        return {"responses" if kind == "generate" else "training": found}

    def _follow(self, step: PlannedStep, kind: str) -> FollowedGeneration | FollowedTraining:
        files = [self._folder / file for file in step.writes]
        if kind == "generate":
            return FollowedGeneration(files, self._folder / step.log)
        return FollowedTraining(files[-1].parent, resumes="--resume" in step.commands.split())

    def _remaining(
        self, steps: Sequence[StepStatus], durations: Durations, workflow: Progress
    ) -> tuple[float | None, tuple[str, ...]]:
        """Return the remaining time of the run, and the kinds of steps that it lacks."""
        if any(status.state == "failed" for status in steps):
            return None, ()
        work, unmeasured = [], set()
        for step, status in zip(self._steps, steps, strict=True):
            if status.state in COMPLETE:
                continue
            running = status.state == "running"
            left = status.remaining_seconds if running else durations.expected(status.name, status.kind)
            unmeasured |= {status.kind} if left is None else set()
            gpus = step.resources.get("gpu", 0)
            amounts = {"cores": step.threads, "jobs": 1, "gpu": gpus if isinstance(gpus, int) else 0}
            work.append(Work(left or 0.0, step.reads, step.writes, amounts, running))
        kinds = tuple(sorted(unmeasured))
        if work and not any(each.seconds for each in work):
            return None, kinds
        return run_seconds(work, capacity(workflow.command)), kinds

    def _quiet(self, steps: Sequence[StepStatus], now: float) -> float | None:
        logs = [LOG, *(status.log for status in steps if status.state == "running")]
        changed = []
        for log in logs:
            with contextlib.suppress(OSError):
                changed.append((self._folder / log).stat().st_mtime)
        return max(0.0, now - max(changed)) if changed else None


def _with_remaining(status: StepStatus, durations: Durations) -> StepStatus:
    """Return a running step with its remaining time: by its own progress, or by steps of its kind."""
    if status.state != "running":
        return status
    own = status.responses or status.training
    if own is not None and own.remaining_seconds is not None:
        return replace(status, remaining_seconds=own.remaining_seconds)
    expected = durations.expected(status.name, status.kind)
    if expected is None or status.seconds is None:
        return status
    return replace(status, remaining_seconds=max(0.0, expected - status.seconds))
