"""Jobs of a run in Slurm: how they are named and recorded, and what becomes of those a killed run left."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.experiment import slurm
from w2s_factory.experiment.run_folder import MARK
from w2s_factory.experiment.workflow import COMPARED_BYTES, LOG, SNAKEFILE, PlannedStep, planned_steps
from w2s_factory.processes import kill_family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from w2s_factory.experiment.slurm import SlurmJob

JobsLeft: TypeAlias = Literal["wait", "cancel"]
"""What is done with jobs that an earlier run left in Slurm."""

RECORD: Final = ".run.jobs"
"""The file that says how the names of a run's jobs begin; it exists until all of them have ended."""

_RUN_ID: Final = re.compile(r"^SLURM run ID: (\S+)$", re.MULTILINE)

EVERY: float = 5.0
"""Seconds between two looks at jobs that are waited for."""


def left_jobs(folder: Path, command: Sequence[str] = (), *, sure: bool = True) -> list[SlurmJob]:
    """Return the jobs of a folder's runs that Slurm still has, on whatever node.

    Slurm is asked if the folder's last run left a record of its jobs, or if this one submits jobs.

    Args:
        folder: The run's folder.
        command: The command of Snakemake that is to follow.
        sure: Refuse to go on if Slurm does not answer.

    Raises:
        UserError: There may be such jobs, but Slurm does not answer.
    """
    recorded = (folder / RECORD).exists()
    if not recorded and slurm.NAME not in command:
        return []
    try:
        jobs = slurm.active_jobs()
    except slurm.NoAnswerError as error:
        if not recorded or not sure:
            return []
        problem = f"an earlier run may have left jobs in Slurm, which does not answer: {error}"
        hint = "Run it where `squeue` works, or add --take-over if none of them is left"
        raise UserError(problem, file=folder, hint=hint) from None
    beginnings, names = _recorded(folder), set(_RUN_ID.findall(_log(folder)))
    return [
        job
        for job in jobs
        if job.id != slurm.own_job()
        and (job.name in names or job.name.startswith(beginnings))
        and _is_submitted_in(job, folder)
    ]


def _recorded(folder: Path) -> tuple[str, ...]:
    """Return how the names of the jobs of the folder's runs begin."""
    try:
        return tuple(f"{name}_" for name in (folder / RECORD).read_text("utf-8").split())
    except FileNotFoundError:
        return ()


def _log(folder: Path) -> str:
    with contextlib.suppress(OSError):
        return (folder / LOG).read_text("utf-8", "replace")
    return ""


def _is_submitted_in(job: SlurmJob, folder: Path) -> bool:
    """Return whether a job is one of this folder, and not of the folder of which this one is a copy."""
    there = Path(job.folder)
    return not there.exists() or there.samefile(folder)


def end_earlier(
    folder: Path,
    command: Sequence[str],
    names: Mapping[str, str],
    how: JobsLeft,
    *,
    take_over: bool,
    tell: Callable[[str], None],
) -> None:
    """End what earlier runs left: processes of their jobs on this machine, and jobs in Slurm.

    Args:
        folder: The run's folder.
        command: The command of Snakemake that is to follow.
        names: Names of steps by rule.
        how: Whether to wait for the jobs in Slurm or to cancel them.
        take_over: Go on even if Slurm does not answer.
        tell: The function that gets a line for each job.

    Raises:
        UserError: There may be jobs in Slurm, but it does not answer, or does not cancel them.
        DelegateError: Snakemake cannot note a step that such a job has completed.
    """
    left = left_jobs(folder, command, sure=not take_over)
    numbers = {job.id for job in left}
    kill_family(MARK, str(folder), lambda environ: environ.get(slurm.JOB) in numbers)
    if left:
        settle(folder, left, names, how, tell)
    if left or (folder / RECORD).exists():
        adopt(folder)


def settle(
    folder: Path,
    jobs: Sequence[SlurmJob],
    names: Mapping[str, str],
    how: JobsLeft,
    tell: Callable[[str], None],
) -> None:
    """Wait until jobs that an earlier run left have ended, after cancelling them if that is wanted.

    Args:
        folder: The run's folder.
        jobs: The jobs.
        names: Names of steps by rule.
        how: Whether to wait for their end or to cancel them.
        tell: The function that gets a line for each job.

    Raises:
        UserError: Slurm does not take the cancellation, or no longer answers.
    """
    does = "cancelling" if how == "cancel" else "waiting for the end of"
    tell(f"{does} {len(jobs)} {'job' if len(jobs) == 1 else 'jobs'} that an earlier run left in Slurm:")
    for job in jobs:
        tell(f"    {_named(job, names)}")
    if how == "cancel":
        try:
            slurm.cancel(job.id for job in jobs)
        except slurm.NoAnswerError as error:
            raise UserError(f"the jobs cannot be cancelled: {error}", file=folder) from None
    else:
        tell("    (--jobs-left cancel cancels them instead)")
    left = {job.id: job for job in jobs}
    while left:
        time.sleep(EVERY)
        still = {job.id for job in left_jobs(folder, [slurm.NAME])}
        for number in [number for number in left if number not in still]:
            ended = slurm.described(number)
            tell(f"    job {number} has ended{f' as {ended.state}' if ended else ''}")
            del left[number]


def _named(job: SlurmJob, names: Mapping[str, str]) -> str:
    where = f" on {job.node}" if job.node else ""
    why = f" ({job.reason})" if job.reason else ""
    return f"{names.get(job.rule, job.rule or job.name)}: job {job.id}, {job.state}{where}{why}"


@contextlib.contextmanager
def recorded(folder: Path, command: Sequence[str]) -> Iterator[None]:
    """Keep a record of how the names of the jobs begin that the block submits, until all have ended.

    Without it, a run that is killed before Snakemake's log is on the disk would leave jobs that nobody finds.
    """
    own = next((word for word in command if word.startswith(slurm.OURS)), None)
    if own is not None:
        with (folder / RECORD).open("a", encoding="utf-8") as file:
            file.write(f"{own}\n")
            file.flush()
            os.fsync(file.fileno())
    try:
        yield
    finally:
        with contextlib.suppress(UserError):  # Slurm does not answer: the next run asks again
            if not left_jobs(folder):
                (folder / RECORD).unlink(missing_ok=True)


def adopt(folder: Path) -> None:
    """Let Snakemake note the steps whose jobs were completed after the run that submitted them was killed.

    Such a job leaves complete files and takes back Snakemake's mark of incomplete ones, but only the process
    that submitted it notes with which settings they were written. Without that note no later edit of these
    settings would repeat the step.

    Raises:
        DelegateError: Snakemake fails.
    """
    steps = [step for step in _steps(folder) if _lacks_note(folder, step)]
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
