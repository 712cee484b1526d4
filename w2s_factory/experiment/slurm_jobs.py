"""Jobs of a run in Slurm: how they are named and recorded, and what becomes of those a killed run left."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.experiment import slurm
from w2s_factory.experiment.run_folder import MARK, mark_of
from w2s_factory.experiment.slurm_watch import Waiting, end_in_words, how_it_ended
from w2s_factory.experiment.workflow import (
    COMPARED_BYTES,
    LOG,
    PROFILE,
    SNAKEFILE,
    PlannedStep,
    planned_steps,
)
from w2s_factory.experiment.workflow_progress import Submission
from w2s_factory.processes import kill_family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from w2s_factory.experiment.slurm import SlurmJob
    from w2s_factory.experiment.steps import Step

JobsLeft: TypeAlias = Literal["wait", "cancel"]
"""The treatment of jobs that an earlier run left in Slurm."""

RECORD: Final = ".run.jobs"
"""The file that says how the names of a run's jobs begin; it exists until all have ended and are noted."""

PAUSE: float = 5.0
"""Seconds between two looks at jobs that are waited for."""

IN_FLIGHT: float = 10.0
"""Seconds in which a busy controller may still accept a job whose `sbatch` was killed (MessageTimeout)."""

SILENCE: float = 900.0
"""Seconds without an answer of Slurm after which jobs are no longer waited for."""


def left_jobs(folder: Path, *, sure: bool = True) -> list[SlurmJob]:
    """Return the jobs of a folder's runs that Slurm still has, on whatever node.

    Slurm is asked if the folder's runs left a record of their jobs.

    Args:
        folder: The run's folder.
        sure: Refuse to go on if Slurm does not answer.

    Raises:
        UserError: There may be such jobs, but Slurm does not answer.
    """
    prefixes = _prefixes(folder)
    if not prefixes:
        return []
    try:
        jobs = slurm.active_jobs()
    except slurm.NoAnswerError as error:
        if not sure:
            return []
        problem = f"an earlier run may have left jobs in Slurm, which does not answer: {error}"
        hint = "Run it where `squeue` works, or add --take-over if none of them is left"
        raise UserError(problem, file=folder, hint=hint) from None
    return [
        job
        for job in jobs
        if job.id != slurm.own_job() and job.name.startswith(prefixes) and _is_submitted_in(job, folder)
    ]


def _prefixes(folder: Path) -> tuple[str, ...]:
    """Return how the names of the jobs of the folder's runs begin."""
    try:
        return tuple(f"{name}_" for name in (folder / RECORD).read_text("utf-8").split())
    except FileNotFoundError:
        return ()


def _is_submitted_in(job: SlurmJob, folder: Path) -> bool:
    """Return whether a job is one of this folder, and not of the folder of which this one is a copy."""
    there = Path(job.folder)
    return not there.exists() or there.samefile(folder)


def end_earlier(
    folder: Path,
    steps: Mapping[str, Step],
    how: JobsLeft,
    *,
    take_over: bool,
    tell: Callable[[str], None],
) -> None:
    """End what earlier runs left: processes of their jobs on this machine, and jobs in Slurm.

    Args:
        folder: The run's folder.
        steps: The planned steps by rule.
        how: Whether to wait for the jobs in Slurm or to cancel them.
        take_over: Go on even if Slurm does not answer.
        tell: The function that gets a line for each job.

    Raises:
        UserError: There may be jobs in Slurm, but it does not answer, or does not cancel them.
        DelegateError: Snakemake cannot note a step that such a job has completed.
    """
    recorded = (folder / RECORD).exists()
    if recorded:
        time.sleep(IN_FLIGHT)
    left = left_jobs(folder, sure=not take_over)
    numbers = {job.id for job in left}
    kill_family(MARK, mark_of(folder), lambda environ: slurm.job_of(environ) in numbers)
    if left:
        settle(folder, left, steps, how, tell)
    if recorded:
        adopt(folder)


def settle(
    folder: Path,
    jobs: Sequence[SlurmJob],
    steps: Mapping[str, Step],
    how: JobsLeft,
    tell: Callable[[str], None],
) -> None:
    """Wait until jobs that an earlier run left have ended, after cancelling them if that is wanted.

    Args:
        folder: The run's folder.
        jobs: The jobs.
        steps: The planned steps by rule.
        how: Whether to wait for their end or to cancel them.
        tell: The function that gets a line for each job.

    Raises:
        UserError: Slurm does not take the cancellation, or does not answer for long.
    """
    does = "cancelling" if how == "cancel" else "waiting for the end of"
    tell(f"{does} {len(jobs)} {'job' if len(jobs) == 1 else 'jobs'} that an earlier run left in Slurm:")
    for job in jobs:
        tell(f"    {_named(job, steps)}")
    if how == "cancel":
        try:
            slurm.cancel(job.id for job in jobs)
        except slurm.NoAnswerError as error:
            raise UserError(f"the jobs cannot be cancelled: {error}", file=folder) from None
    else:
        tell("    (--jobs-left cancel cancels them instead)")
    left, waiting = {job.id: job for job in jobs}, Waiting(tell)
    for active in _active_until_none(folder):
        for number, job in list(left.items()):
            step, log = steps.get(job.rule), _log(job)
            if number in active:
                waiting.see(active[number], step, log)
            else:
                tell(_end_of_left(job, step, log, how))
                del left[number]
        if not left:
            return


def _active_until_none(folder: Path) -> Iterator[dict[str, SlurmJob]]:
    """Yield the user's active jobs by number, again and again; a look without an answer is left out.

    Raises:
        UserError: Slurm does not answer for long.
    """
    answered = time.monotonic()
    while True:
        time.sleep(PAUSE)
        try:
            active = {job.id: job for job in slurm.active_jobs()}
        except slurm.NoAnswerError as error:
            if time.monotonic() - answered > SILENCE:
                problem = f"Slurm no longer says what becomes of the jobs that are waited for: {error}"
                raise UserError(problem, file=folder, hint="Run the same command again later") from None
        else:
            answered = time.monotonic()
            yield active


def _log(job: SlurmJob) -> Path:
    """Return where the executor (2.8) has a job's output written, unless the user names another folder."""
    return Path(job.folder, ".snakemake", "slurm_logs", f"rule_{job.rule}", f"{job.id}.log")


def _end_of_left(job: SlurmJob, step: Step | None, log: Path, how: JobsLeft) -> str:
    """Return how a job that was left has ended as a line for the user."""
    ended = how_it_ended(Submission(job.id, log))
    if ended is None or ended.state == "COMPLETED" or how == "cancel":
        return f"    job {job.id} has ended{f' as {ended.state}' if ended else ''}"
    return f"    {step.name if step else job.rule}: {end_in_words(ended, step, log)}"


def _named(job: SlurmJob, steps: Mapping[str, Step]) -> str:
    where = f" on {job.node}" if job.node else ""
    why = f" ({job.reason})" if job.reason else ""
    name = steps[job.rule].name if job.rule in steps else job.rule or job.name
    return f"{name}: job {job.id}, {job.state}{where}{why}"


@contextlib.contextmanager
def recorded(folder: Path, command: Sequence[str]) -> Iterator[None]:
    """Keep a record of how the names of the jobs begin that the block submits.

    It is removed once all of them have ended and Snakemake has noted what they completed. It stays if the
    block is interrupted, when a job may be on its way to Slurm: the next run looks for it.
    """
    prefix = slurm.prefix_of(command)
    if prefix is not None:
        with (folder / RECORD).open("a", encoding="utf-8") as file:
            file.write(f"{prefix}\n")
            file.flush()
            os.fsync(file.fileno())
    yield
    with contextlib.suppress(UserError):  # Slurm does not answer: the next run asks again
        if (folder / RECORD).exists() and not left_jobs(folder) and not _unnoted(folder):
            (folder / RECORD).unlink()


def adopt(folder: Path) -> None:
    """Let Snakemake note the steps whose jobs were completed without the run that submitted them noticing.

    Such a job leaves complete files and takes back Snakemake's mark of incomplete ones, but only the process
    that submitted it notes with which settings they were written. Without that note no later edit of these
    settings would repeat the step.

    Raises:
        DelegateError: Snakemake fails.
    """
    steps = _unnoted(folder)
    if not steps:
        return
    rules, files = [step.rule for step in steps], [file for step in steps for file in step.writes]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(folder)]
    command += ["--nolock", "--cores", "1", "--max-checksum-file-size", COMPARED_BYTES]
    command += ["--touch", "--rerun-triggers", "mtime", "--allowed-rules", *rules]
    command += ["--forcerun", *rules, "--", *files]
    log = folder / LOG
    with log.open("a", encoding="utf-8") as written:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name != PROFILE},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        raise DelegateError(f"Snakemake failed with exit code {done.returncode}", hint=f"See {log}")


def _steps(folder: Path) -> list[PlannedStep]:
    """Return the steps of the folder's plan that an executor sends to other machines."""
    try:
        return [step for step in planned_steps(folder) if not step.local]
    except UserError:  # no run got as far as submitting jobs
        return []


def _unnoted(folder: Path) -> list[PlannedStep]:
    """Return the steps that jobs have completed and Snakemake has not noted."""
    return [step for step in _steps(folder) if _lacks_note(folder, step)]


def _lacks_note(folder: Path, step: PlannedStep) -> bool:
    """Return whether all files of a step are there, complete, and Snakemake has no note of them."""
    return all(
        (folder / file).exists()
        and not snakemake_note(folder, "metadata", file).exists()
        and not snakemake_note(folder, "incomplete", file).exists()
        for file in step.writes
    )


_LONGEST: Final = 254
"""The characters of a file's name in which Snakemake (9) writes its notes; a longer one becomes folders."""


def snakemake_note(folder: Path, kind: str, file: str) -> Path:
    """Return where Snakemake (9) notes something about an output."""
    name = base64.urlsafe_b64encode(file.encode()).decode()
    *folders, last = (name[start : start + _LONGEST] for start in range(0, len(name), _LONGEST))
    return (folder / ".snakemake" / kind).joinpath(*(f"@{part}" for part in folders), last)
