"""A look at a run's Slurm jobs while Snakemake runs them, and how waiting and ended jobs are put in words."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from w2s_factory.experiment import slurm
from w2s_factory.experiment.workflow import REMOTE_KINDS
from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from w2s_factory.experiment.slurm import SlurmJob
    from w2s_factory.experiment.steps import Step

EVERY: float = 30.0
"""Seconds between two looks at the queue."""

PATIENCE: float = 300.0
"""Seconds that a job waits in the queue before the user hears of it."""


_IDLE: Final = 2
"""The looks in a row that find no active job, after which Snakemake has nothing left to wait for."""


class Submission(NamedTuple):
    """A step's job in Slurm.

    Attributes:
        job: The number of the job.
        log: Slurm's log of it.
    """

    job: str
    log: Path


_BEGINS: Final = re.compile(r"rule (\w+):")
_NUMBER: Final = re.compile(r" +jobid: (\d+)$")
_SUBMITS: Final = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\w+) \(log: (.+)\)\.")
_FAILS: Final = re.compile(r"Error in rule (\w+)")
_REFUSES: Final = re.compile(r" +message: *(SLURM sbatch failed\..*|Job submission failed .*)")


@dataclass
class Submissions:
    """The submitted jobs, read from the lines that Snakemake (9) and its executor for Slurm (2.8) print.

    Attributes:
        of: The last job of each rule.
        refused: The executor's message about each rule whose job Slurm did not accept.
    """

    of: dict[str, Submission] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    _rules: dict[str, str] = field(default_factory=dict)
    _rule: str = ""

    def take(self, line: str) -> None:
        """Update the state from a line."""
        line = line.rstrip("\n")
        if match := _BEGINS.match(line) or _FAILS.match(line):
            self._rule = match[1]
        elif match := _NUMBER.match(line):
            self._rules[match[1]] = self._rule
        elif (match := _SUBMITS.match(line)) and match[1] in self._rules:
            self.of[self._rules[match[1]]] = Submission(match[2], Path(match[3]))
        elif match := _REFUSES.match(line):
            self.refused[self._rule] = shortened(match[1])


class End(NamedTuple):
    """How a failed step's job ended.

    Attributes:
        state: Its state in Slurm, in capital letters; "" if Slurm no longer knows it.
        text: A line for the user.
    """

    state: str
    text: str


@dataclass
class Watch:
    """Looks at the queue, for what Snakemake does not report.

    It names jobs that wait for long, and puts back those that were preempted or lost their node, as often as
    the experiment allows. Where Snakemake would wait for ever, it ends it: the executor (2.8) does not know
    the state "CANCELLED by 0", which `sacct` reports.

    Attributes:
        steps: The steps by rule.
        retries: How often a job is put back; None leaves it to Slurm.
        tell: The function that gets a line for each event.
        submissions: The submitted jobs.
        ends: How jobs ended that Slurm then shows as cancelled, by number.
        unnoticed: The rules whose jobs ended in a way that Snakemake does not notice.
        interrupt: The function that ends Snakemake if it works on nothing.
    """

    steps: Mapping[str, Step]
    retries: int | None
    tell: Callable[[str], None]
    submissions: Submissions = field(default_factory=Submissions)
    ends: dict[str, SlurmJob] = field(default_factory=dict)
    unnoticed: set[str] = field(default_factory=set)
    interrupt: Callable[[], None] = lambda: None
    _idle: int = 0
    _since: dict[str, float] = field(default_factory=dict)
    _told: set[tuple[str, str]] = field(default_factory=set)
    _ran: set[str] = field(default_factory=set)
    _uses_sacct: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def watching(self, command: Sequence[str]) -> Iterator[None]:
        """Look at the queue from a thread until the block ends, if Snakemake submits jobs to Slurm."""
        if slurm.NAME not in command:
            yield
            return
        self._uses_sacct = "sacct" in command
        thread = threading.Thread(target=self._look_until_stopped, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(slurm.SECONDS)

    def _look_until_stopped(self) -> None:
        while not self._stop.wait(EVERY):
            with contextlib.suppress(slurm.NoAnswerError):  # the next look asks again
                self.look()

    def look(self) -> None:
        """Look at the queue once.

        Raises:
            NoAnswerError: Slurm does not answer.
        """
        rules = {submission.job: rule for rule, submission in list(self.submissions.of.items())}
        jobs = [job for job in slurm.known_jobs() if job.id in rules] if rules else []
        for job in jobs:
            step = self.steps.get(rules[job.id])
            if step is not None and job.id not in self.ends:
                self._see(job, step)
        self._idle = self._idle + 1 if self.unnoticed and not any(job.active for job in jobs) else 0
        if self._idle >= _IDLE:
            self.interrupt()

    def _see(self, job: SlurmJob, step: Step) -> None:
        if job.state == "PENDING" and job.id in self._ran:
            self._came_back(job, step)
        elif job.state == "PENDING":
            self._waits(job, step)
        else:
            self._since.pop(job.id, None)
            self._ran.add(job.id)
        if job.state in ("PREEMPTED", "NODE_FAIL"):
            self._lost(job, step)
        elif job.state == "CANCELLED":
            self._ended(job, step)

    def _ended(self, job: SlurmJob, step: Step, *, noticed: bool = True) -> None:
        """Keep how a job ended that Slurm shows as cancelled; say so if Snakemake does not notice it."""
        self.ends[job.id] = job
        if self._uses_sacct or not noticed:
            self.unnoticed.add(step.rule)
            self.tell(f"{step.name}: its job {job.id} ended as {job.state}; the other jobs are waited for")

    def _waits(self, job: SlurmJob, step: Step) -> None:
        """Name a job that has waited for long, once for each reason."""
        waited = time.monotonic() - self._since.setdefault(job.id, time.monotonic())
        if waited >= PATIENCE and (job.id, job.reason) not in self._told:
            self._told.add((job.id, job.reason))
            reason = f" ({job.reason})" if job.reason else ""
            text = f"job {job.id} waits in Slurm's queue{reason}. {_advice_waiting(job, step)}"
            self.tell(f"{step.name}: {text}. Its log will be {self.submissions.of[step.rule].log}")

    def _came_back(self, job: SlurmJob, step: Step) -> None:
        """Name a job that Slurm has put back in the queue; cancel it once it comes back too often."""
        self._ran.discard(job.id)
        now = slurm.described(job.id) or job
        if self.retries is not None and now.restarts > self.retries:
            slurm.cancel([job.id])
            self._ended(replace(now, state="NODE_FAIL", reason="NodeDown or preemption"), step)
        else:
            self.tell(
                f"{step.name}: Slurm puts job {job.id} back in the queue: it was preempted or lost its node"
            )

    def _lost(self, job: SlurmJob, step: Step) -> None:
        """Put a job back that was preempted or has lost its node, or let Snakemake see that it has ended."""
        now = slurm.described(job.id) or job
        if self.retries is not None and now.restarts < self.retries:
            slurm.requeue(job.id)
        elif job.state == "PREEMPTED" or self.retries:
            try:
                slurm.end_for_good(job.id)
            except slurm.NoAnswerError:
                self._ended(now, step, noticed=False)
            else:
                self._ended(now, step)

    def ends_of(self, failed: Iterable[Step]) -> dict[str, End]:
        """Return how Slurm ended the jobs of failed steps, or why it did not accept them, by rule."""
        ends = {}
        for step in failed:
            submission = self.submissions.of.get(step.rule)
            job = submission and how_it_ended(submission, self.ends.get(submission.job))
            if submission and job:
                ends[step.rule] = End(job.state, end_in_words(job, step, submission.log))
            elif submission:
                text = f"Slurm no longer knows its job {submission.job}. Slurm's log: {submission.log}"
                ends[step.rule] = End("", text)
            elif step.rule in self.submissions.refused:
                ends[step.rule] = End("not submitted", self.submissions.refused[step.rule])
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
"""What to do about jobs that wait, by how Slurm's reason begins (squeue(1), "JOB REASON CODES")."""


def _advice_waiting(job: SlurmJob, step: Step) -> str:
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
    "FAILED": ("its commands failed with exit code {code}", "The end of the step's log says why"),
}
"""Why jobs end in a state, and what to do about it (squeue(1), "JOB STATE CODES")."""

_OUT_OF_MEMORY: Final = ("oom-kill event", "oom_kill event", "Exceeded job memory limit", "Out Of Memory")
"""What Slurm writes into a job's log when one of its steps has no memory left."""


_READ: Final = 2**20
"""The bytes at the end of a job's log that are read."""


def how_it_ended(submission: Submission, known: SlurmJob | None) -> SlurmJob | None:
    """Return how a step's job ended, by Slurm's word; None if Slurm no longer knows it.

    A job one of whose steps ran out of memory counts as FAILED in Slurm; here it is OUT_OF_MEMORY.

    Args:
        submission: The job.
        known: How it ended, where Slurm now shows something else.
    """
    job = known or slurm.described(submission.job)
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


def end_in_words(job: SlurmJob, step: Step, log: Path) -> str:
    """Return how a job ended as a line for the user: state, reason, what to change, and Slurm's log."""
    why, advice = _ENDS.get(job.state, ("", "`scontrol show job {job}` describes it"))
    reason = f" ({job.reason})" if job.reason else ""
    where = f" on {job.node}" if job.node else ""
    because = f": {why.format(limit=job.limit, code=job.exit_code.partition(':')[0])}" if why else ""
    advice = advice.format(kind=_section(step), job=job.id)
    return (
        f"Slurm ended its job {job.id}{where} as {job.state}{reason}{because}. {advice}. Slurm's log: {log}"
    )


def _section(step: Step) -> str:
    """Return the section of `resources` that holds for a step."""
    return step.kind if step.kind in REMOTE_KINDS else "data"
