"""A look at a run's Slurm jobs while Snakemake runs them, and how waiting and ended jobs are put in words."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from w2s_factory.experiment import slurm
from w2s_factory.experiment.workflow import LATENCY, REMOTE_KINDS, latency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from w2s_factory.experiment.slurm import SlurmJob
    from w2s_factory.experiment.steps import Step
    from w2s_factory.experiment.workflow_progress import Progress, Submission

EVERY: float = 30.0
"""Seconds between two looks at the queue."""

PATIENCE: float = 300.0
"""Seconds that a job waits in the queue, or that Slurm does not answer, before the user hears of it."""

MARGIN: float = 30.0
"""Seconds that Snakemake has to notice a job's end, after the executor's pause and its wait for files."""

_IDLE: Final = 2
"""The looks in a row with nothing left to wait for, after which Snakemake is ended."""

_TOO_OFTEN: Final = "preempted or without its node too often"


class End(NamedTuple):
    """The end of a failed step's job.

    Attributes:
        state: Its state in Slurm, in capital letters; "" if Slurm no longer knows it.
        text: A line for the user.
    """

    state: str
    text: str


@dataclass
class Waiting:
    """Names jobs that wait in the queue for long, once for each reason of Slurm.

    Attributes:
        tell: The function that gets a line for each.
    """

    tell: Callable[[str], None]
    _since: dict[str, float] = field(default_factory=dict)
    _told: set[tuple[str, str]] = field(default_factory=set)

    def see(self, job: SlurmJob, step: Step | None, log: Path) -> None:
        """Look at an active job of a step; None is a step that the plan no longer has."""
        if job.state != "PENDING":
            self._since.pop(job.id, None)
            return
        waited = time.monotonic() - self._since.setdefault(job.id, time.monotonic())
        if waited >= PATIENCE and (job.id, job.reason) not in self._told:
            self._told.add((job.id, job.reason))
            reason = f" ({job.reason})" if job.reason else ""
            text = f"job {job.id} waits in Slurm's queue{reason}. {_advice_waiting(job, step)}"
            self.tell(f"{step.name if step else job.rule}: {text}. Its log will be {log}")


@dataclass
class Watch:
    """Looks at the queue, for what Snakemake does not report.

    It names jobs that wait for long, and puts back those that were preempted or lost their node, as often as
    the experiment allows. Where Snakemake would wait for ever, it ends it: the executor (2.8) loses all its
    jobs if Slurm does not answer for a while, counts preempted jobs as active, and does not know the state
    "CANCELLED by 0", which `sacct` reports. So a job counts as lost if it has ended and Snakemake has not
    noticed that within the executor's longest pause.

    Attributes:
        steps: The steps by rule.
        retries: How often a job is put back; None leaves it to Slurm.
        tell: The function that gets a line for each event.
        progress: What Snakemake says of its jobs.
        interrupt: The function that ends Snakemake unless it runs a step here; it returns whether it did.
        interrupted: Whether Snakemake was ended.
    """

    steps: Mapping[str, Step]
    retries: int | None
    tell: Callable[[str], None]
    progress: Progress
    interrupt: Callable[[], bool] = lambda: False
    interrupted: bool = False
    _grace: float = 0.0
    _idle: int = 0
    _answered: float = field(default_factory=time.monotonic)
    _waiting: Waiting = field(init=False)
    _lost: set[str] = field(default_factory=set)
    _since: dict[str, float] = field(default_factory=dict)
    _ends: dict[str, SlurmJob] = field(default_factory=dict)
    _ran: set[str] = field(default_factory=set)
    _too_often: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._waiting = Waiting(self.tell)

    @property
    def lost(self) -> dict[str, SlurmJob | None]:
        """Return how the jobs ended whose end Snakemake has not noticed, by rule; None: Slurm forgot it."""
        active = self.progress.active
        return {rule: self._ends.get(active[rule].job) for rule in self._lost if rule in active}

    @property
    def only_lost_completed(self) -> bool:
        """Return whether Snakemake was ended only since it had not noticed jobs that have completed."""
        ends = self.lost.values()
        completed = all(job is not None and job.state == "COMPLETED" for job in ends)
        return self.interrupted and completed and not self.progress.failed

    @contextlib.contextmanager
    def watching(self, command: Sequence[str]) -> Iterator[None]:
        """Look at the queue from a thread until the block ends, if Snakemake submits jobs to Slurm."""
        if not slurm.submits(command):
            yield
            return
        waits = latency(command)
        self._grace = slurm.longest_pause(command) + (LATENCY if waits is None else waits) + MARGIN
        thread = threading.Thread(target=self._look_until_stopped, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(slurm.SECONDS)

    def _look_until_stopped(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self.look()
                self._answered = time.monotonic()
                self._told.discard("no answer")
            except slurm.NoAnswerError as error:  # the next look asks again
                if time.monotonic() - self._answered >= PATIENCE:
                    self._tell_once("no answer", f"Slurm does not answer: {error}. The run waits for it")

    def _tell_once(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self.tell(text)

    def look(self) -> None:
        """Look once at the jobs whose end Snakemake has not noticed.

        Raises:
            NoAnswerError: Slurm does not answer.
        """
        active = dict(self.progress.active)
        rows = {job.id: job for job in slurm.known_jobs()} if active else {}
        for rule, submission in active.items():
            job = rows.get(submission.job) or slurm.described(submission.job)
            if job is not None and job.active:
                self._see_active(job, self.steps[rule], submission.log)
            else:
                self._see_ended(submission.job, job, self.steps[rule])
        self._lost &= set(active)
        self._idle = self._idle + 1 if active and self._lost == set(active) else 0
        if self._idle >= _IDLE and self.interrupt():
            self.interrupted = True
            self._stop.set()

    def _see_active(self, job: SlurmJob, step: Step, log: Path) -> None:
        self._since.pop(job.id, None)
        self._lost.discard(step.rule)
        if job.state != "PENDING":
            self._ran.add(job.id)
        elif job.id in self._ran:
            self._came_back(job, step)
        self._waiting.see(job, step, log)

    def _came_back(self, job: SlurmJob, step: Step) -> None:
        """Name a job that Slurm has put back in the queue; cancel it once it comes back too often."""
        now = slurm.described(job.id) or job
        if self.retries is not None and now.restarts > self.retries:
            with self._attempt(job, step, "cancelled"):
                slurm.cancel([job.id])
                self._too_often.add(job.id)
        else:
            self._ran.discard(job.id)
            self.tell(
                f"{step.name}: Slurm puts job {job.id} back in the queue: it was preempted or lost its node"
            )

    def _see_ended(self, number: str, job: SlurmJob | None, step: Step) -> None:
        """Put a job back that was preempted or lost its node; name one that Snakemake has lost."""
        if job is not None:
            self._ends[number] = job
            if job.state in ("PREEMPTED", "NODE_FAIL") and self._put_back(job, step):
                return
        since = self._since.setdefault(number, time.monotonic())
        if step.rule not in self._lost and time.monotonic() - since >= self._grace:
            self._lost.add(step.rule)
            state = f" as {job.state}" if job else ""
            text = f"its job {number} ended{state}, which Snakemake has not noticed"
            self.tell(f"{step.name}: {text}; the other jobs are waited for")

    def _put_back(self, job: SlurmJob, step: Step) -> bool:
        """Put a job back in the queue if it may be; return whether it was."""
        now = slurm.described(job.id) or job
        if self.retries is None or now.restarts >= self.retries:
            return False
        with self._attempt(job, step, "put back in the queue"):
            slurm.requeue(job.id)
            return True
        return False

    @contextlib.contextmanager
    def _attempt(self, job: SlurmJob, step: Step, what: str) -> Iterator[None]:
        """Say once if Slurm does not do something with a job; the next look tries again."""
        try:
            yield
        except slurm.NoAnswerError as error:
            self._tell_once(f"{job.id} {what}", f"{step.name}: job {job.id} cannot be {what}: {error}")

    def ends_of(self, failed: Iterable[Step]) -> dict[str, End]:
        """Return how Slurm ended the jobs of failed steps, or why it did not accept them, by rule."""
        ends = {}
        for step in failed:
            submission = self.progress.submitted.get(step.rule)
            job = submission and (how_it_ended(submission) or self._ends.get(submission.job))
            if submission and job:
                job = replace(job, reason=_TOO_OFTEN) if job.id in self._too_often else job
                ends[step.rule] = End(job.state, end_in_words(job, step, submission.log))
            elif submission:
                text = f"Slurm no longer knows its job {submission.job}. Slurm's log: {submission.log}"
                ends[step.rule] = End("", text)
            elif step.rule in self.progress.not_submitted:
                ends[step.rule] = End("not submitted", self.progress.not_submitted[step.rule])
        return ends


_WAITING: Final = {
    "PartitionTimeLimit": "Lower `resources.{kind}.runtime`, which is above the partition's limit",
    "PartitionNodeLimit": "Lower the resources of `resources.{kind}`, which are above the partition's limits",
    "BadConstraints": "Change `resources.{kind}`: no node has what it asks for",
    "ReqNodeNotAvail": "Its nodes are down, drained or reserved; `sinfo -R` says why",
    "Nodes required for job are DOWN": "`sinfo -R` says why; the job starts once they are back",
    "Resources": "It starts once enough nodes are free",
    "Priority": "It starts after jobs of higher priority",
    "Assoc": "A limit of the account is reached",
    "QOS": "A limit of the quality of service is reached",
    "JobHeldAdmin": "An administrator holds it",
    "JobHeldUser": "`scontrol release {job}` lets it start",
}
"""Advice for jobs that wait, by the beginning of Slurm's reason (squeue(1), "JOB REASON CODES")."""


def _advice_waiting(job: SlurmJob, step: Step | None) -> str:
    found = (advice for reason, advice in _WAITING.items() if job.reason.startswith(reason))
    advice = next(found, "`scontrol show job {job}` describes it")
    return advice.format(kind=_section(step), job=job.id)


_ENDS: Final = {
    "TIMEOUT": ("it reached its time limit of {limit}", "Raise `resources.{kind}.runtime`"),
    "OUT_OF_MEMORY": ("it needed more memory than it had asked for", "Raise `resources.{kind}.mem`"),
    "NODE_FAIL": ("its node failed", "Run the same command again, or set `resources.retries`"),
    "PREEMPTED": ("another job took its place", "Run the same command again, or set `resources.retries`"),
    "CANCELLED": ("somebody cancelled it", "Run the same command again"),
    "DEADLINE": ("it could not end before its deadline", "Change the deadline in `resources.{kind}.more`"),
    "BOOT_FAIL": ("its node did not start", "Run the same command again"),
    "COMPLETED": ("Snakemake did not notice it", "Run the same command again: it continues from there"),
    _TOO_OFTEN: ("`resources.retries` allows no further start", "Raise it, or run the same command again"),
    "FAILED": ("its commands failed with exit code {code}", "The end of the step's log says why"),
}
"""Explanation and advice for the state of an ended job, or our reason (squeue(1), "JOB STATE CODES")."""

_OUT_OF_MEMORY: Final = ("oom-kill event", "oom_kill event", "Exceeded job memory limit", "Out Of Memory")
"""Words in a job's log by which Slurm says that a step has no memory left."""


_READ: Final = 2**20
"""The bytes at the end of a job's log that are read."""


def how_it_ended(submission: Submission) -> SlurmJob | None:
    """Return how a step's job ended, by Slurm's word; None if Slurm no longer knows it.

    A job one of whose steps ran out of memory counts as FAILED in Slurm; here it is OUT_OF_MEMORY.
    """
    job = slurm.described(submission.job)
    if job is not None and job.state == "FAILED":
        said = _text(submission.log)
        if any(words in said for words in _OUT_OF_MEMORY) or slurm.steps_out_of_memory(job.id):
            return replace(job, state="OUT_OF_MEMORY", reason="OutOfMemory")
    return job


def _text(log: Path) -> str:
    """Return the end of a job's log; "" if it cannot be read."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _READ))
        return file.read().decode("utf-8", "replace")
    return ""


def end_in_words(job: SlurmJob, step: Step | None, log: Path) -> str:
    """Return how a job ended as a line for the user: state, reason, what to change, and Slurm's log."""
    unknown = "", "`scontrol show job {job}` describes it"
    why, advice = _ENDS.get(job.reason, _ENDS.get(job.state, unknown))
    reason = f" ({job.reason})" if job.reason else ""
    where = f" on {job.node}" if job.node else ""
    because = f": {why.format(limit=job.limit, code=job.exit_code.partition(':')[0])}" if why else ""
    advice = advice.format(kind=_section(step), job=job.id)
    return (
        f"Slurm ended its job {job.id}{where} as {job.state}{reason}{because}. {advice}. Slurm's log: {log}"
    )


def _section(step: Step | None) -> str:
    """Return the section of `resources` that holds for a step; the plan may lack that of a left job."""
    if step is None:
        return "KIND"
    return step.kind if step.kind in REMOTE_KINDS else "data"
