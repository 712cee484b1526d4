"""The status of a run, read from the files in its folder: by `run` for its own display, and by `status`."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from w2s_factory.errors import UserError, encodable
from w2s_factory.experiment import slurm
from w2s_factory.experiment.remaining_time import Durations, Work, run_seconds
from w2s_factory.experiment.report.folder import open_run
from w2s_factory.experiment.report.training_curves import recorded_seconds
from w2s_factory.experiment.run_folder import processes_left
from w2s_factory.experiment.run_lock import OWNER, Activity, activity
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
        seconds: For how long the run has been active; None without one.
        quiet_seconds: The time since the run last wrote to a log; None if it has written none.
        remaining_seconds: The remaining time of the active run, without steps of kinds that are not measured
            yet; None if nothing is measured yet, no run is active, or a step failed.
        unmeasured: The kinds of steps that are left and that the remaining time lacks.
        jobs_left: The jobs in Slurm that an earlier run left; None if Slurm does not say.
        processes_left: The number of processes on this machine that a killed run left.
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
    processes_left: int = 0

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
        r"""Return everything as plain values, with the counts; `status --json` prints it.

        What UTF-8 cannot encode is escaped, as in the name of a folder that is not UTF-8 (`\udcff`).
        """
        steps = {"steps": [asdict(step) for step in self.steps]}
        plain = _encodable({**asdict(self), "complete": self.complete, "counts": self.counts, **steps})
        return dict(plain)


def _encodable(value: Any) -> Any:
    """Return a plain value with all its texts encodable."""
    if isinstance(value, dict):
        return {key: _encodable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(each) for each in value]
    return encodable(value) if isinstance(value, str) else value


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
    status = RunReader(folder, found, left).read()
    return replace(status, processes_left=processes_left(Path(folder)) if found.active is False else 0)


def _silent() -> Progress:
    """Return the progress of a workflow that reports no steps."""
    return Progress({}, lambda _: None)


def _take(workflow: Progress, line: bytes) -> None:
    workflow.take(line.decode("utf-8", "replace"))


class RunReader:
    """A run whose status is read again and again; each time only what was added to its files is read.

    Times are those of the file system, which hold on machines of other time zones too: a run is as old as the
    record of its process, and a step as Snakemake's mark of its files as incomplete.

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
        self._since: float | None = None
        self._complete: set[str] = set()
        self._took: dict[str, float | None] = {}
        self._followed: dict[str, tuple[float, FollowedGeneration | FollowedTraining]] = {}

    def read(self) -> RunStatus:
        """Return the status now."""
        now, workflow = time.time(), self._log.state()
        self._since = _changed(self._folder / OWNER)
        steps = [self._status(step, workflow, now) for step in self._steps]
        durations = Durations()
        for status in steps:
            if status.state in COMPLETE and status.seconds is not None:
                durations.add(status.name, status.kind, status.seconds)
        steps = [_with_remaining(status, durations) for status in steps]
        is_active = self.activity.active is not False
        remaining, unmeasured = self._remaining(steps, durations, workflow) if is_active else (None, ())
        return RunStatus(
            folder=str(self._folder),
            name=self._name,
            active=self.activity.active,
            process=self.activity.process if is_active else None,
            host=self.activity.host if is_active else "",
            steps=tuple(steps),
            seconds=max(0.0, now - self._since) if is_active and self._since is not None else None,
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
        if event == "failed":  # but a run that has just begun may do the step again
            return "failed" if workflow.carries_out or self.activity.active is False else "waiting"
        if event == "started" and not self._has_ended_since(step, workflow):
            self._complete.discard(step.rule)
            self._took.pop(step.rule, None)
            return "running" if self._runs(step, workflow) else "waiting"
        if event is None and step.rule in workflow.listed:
            return "waiting"
        if step.rule not in self._complete:
            if not self._is_written(step):
                return "waiting"
            self._complete.add(step.rule)
        return "restored" if step.rule in workflow.restored else "done"

    def _job(self, step: PlannedStep, workflow: Progress) -> Submission | None:
        """Return the job of a step that waits or runs in Slurm, or may do so; None if it has none."""
        submission = workflow.submitted.get(step.rule)
        if submission is None or self.activity.active is not False or self._left is None:
            return submission
        return submission if submission.job in self._left else None

    def _has_ended_since(self, step: PlannedStep, workflow: Progress) -> bool:
        """Return whether a started step was completed by its job in Slurm after `run` itself was killed."""
        if self.activity.active is not False or self._marked(step) is not None:
            return False
        if self._job(step, workflow) is None:
            return True
        return self._left is None and self._is_written(step)  # Slurm does not say whether it has the job

    def _is_written(self, step: PlannedStep) -> bool:
        return all((self._folder / file).exists() for file in step.writes)

    def _runs(self, step: PlannedStep, workflow: Progress) -> bool:
        """Return whether a started step runs: its job may still wait, or it may have ended with a run."""
        submission = self._job(step, workflow)
        if self.activity.active is False and submission is None:
            return False
        if step.local or f"--executor {slurm.NAME} " not in f"{workflow.command} ":
            marked = self._marked(step)  # by an earlier run, if Snakemake has not begun yet
            return marked is None or self._since is None or marked >= self._since
        return submission is not None and submission.log.exists()  # Slurm writes it from the job's start on

    def _began(self, step: PlannedStep, workflow: Progress) -> float | None:
        """Return when a running step began; None if that is not known.

        Snakemake marks the files of a step when it submits its job, and again when the step begins there.
        """
        submission = workflow.submitted.get(step.rule)
        return self._marked(step) if submission is None or _begins(submission.log, step.rule) else None

    def _marked(self, step: PlannedStep) -> float | None:
        """Return when Snakemake marked the files of a step as incomplete; None if they are not."""
        marks = [_changed(snakemake_note(self._folder, "incomplete", file)) for file in step.writes]
        return max((mark for mark in marks if mark is not None), default=None)

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
        return run_seconds(work, workflow.limits), kinds

    def _quiet(self, steps: Sequence[StepStatus], now: float) -> float | None:
        logs = [LOG, *(status.log for status in steps if status.state == "running")]
        changed = max(_changed(self._folder / log) or 0.0 for log in logs)
        return max(0.0, now - changed) if changed else None


def _changed(file: Path) -> float | None:
    """Return when a file was last written, in seconds since the epoch; None without one."""
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def _begins(log: Path, rule: str) -> bool:
    """Return whether Slurm's log of a job says that its step has begun."""
    begins = rf"^(?:local)?rule {re.escape(rule)}:$".encode()
    with contextlib.suppress(OSError):
        return log.is_file() and re.search(begins, log.read_bytes(), re.MULTILINE) is not None
    return False


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
