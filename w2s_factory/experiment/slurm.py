"""The interface to Slurm's commands: which of them answer, a user's jobs, how a job ended, its requeueing."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import UserError
from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME: Final = "slurm"
"""The name of the executor, as `--executor` takes it."""

JOB: Final = "SLURM_JOB_ID"
"""The environment variable in which Slurm's jobs find their number."""

OURS: Final = "w2s-"
"""How the names of jobs begin; the plugin takes letters, digits, hyphens and underscores."""

_STATUS, _PREFIX, _REQUEUE = "--slurm-status-command", "--slurm-jobname-prefix", "--slurm-requeue"

SECONDS: Final = 60
"""The seconds that a command of Slurm has to answer."""

SHORTEST_AGE: Final = 200
"""The least MinJobAge with which `squeue` alone is enough.

The executor's plugin (2.8) asks at least every 180 seconds. A job that the controller forgets in between
would count as running for ever.
"""

_ACTIVE: Final = (
    "PENDING",
    "RUNNING",
    "SUSPENDED",
    "COMPLETING",
    "CONFIGURING",
    "STAGE_OUT",
    "SIGNALING",
    "RESIZING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "SPECIAL_EXIT",
    "STOPPED",
    "RESV_DEL_HOLD",
)
"""The states of jobs that have not ended (squeue(1), "JOB STATE CODES"): they run, or may run again."""


class NoAnswerError(Exception):
    """A command of Slurm that is not installed, fails, or does not answer in time; its text says which."""


@dataclass(frozen=True)
class SlurmJob:
    """A job as Slurm describes it.

    Attributes:
        id: Its number.
        state: Its state, such as `RUNNING`, without what `sacct` adds to it.
        reason: Slurm's reason for the state; "" if it gives none.
        node: The nodes; "" while there are none.
        name: Its name: the id of the Snakemake run that submitted it.
        rule: The rule of its step; "" if Slurm does not return comments.
        folder: The folder in which it was submitted.
        limit: Its time limit, as Slurm writes it.
        restarts: How often Slurm has put it back in the queue.
        exit_code: The exit code of its script and the signal that ended it, as Slurm writes them (`1:0`).
    """

    id: str
    state: str
    reason: str = ""
    node: str = ""
    name: str = ""
    rule: str = ""
    folder: str = ""
    limit: str = ""
    restarts: int = 0
    exit_code: str = ""

    @property
    def active(self) -> bool:
        """Return whether it has not ended."""
        return self.state in _ACTIVE


def _ask(*command: str) -> str:
    """Return what a command of Slurm prints.

    Raises:
        NoAnswerError: It does not answer.
    """
    try:
        answer = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    except FileNotFoundError:
        raise NoAnswerError(f"{command[0]} is not installed") from None
    except OSError as error:
        raise NoAnswerError(f"{command[0]} cannot be started ({error.strerror})") from None
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"{command[0]} does not answer within {SECONDS} seconds") from None
    if answer.returncode != 0:
        said = [line for line in answer.stderr.splitlines() if line.strip()]
        last = shortened(said[-1]) if said else f"exit code {answer.returncode}"
        raise NoAnswerError(f"{command[0]} fails ({last})")
    return answer.stdout


def executor_arguments(given: Sequence[str], retries: int | None) -> list[str]:
    """Return the arguments of Snakemake's executor for Slurm, without those that the user gives.

    Args:
        given: The user's arguments of Snakemake.
        retries: The experiment's `resources.retries`.

    Raises:
        UserError: Slurm does not answer.
    """
    options = {word.partition("=")[0] for word in given}
    arguments = [] if _STATUS in options else [_STATUS, status_command()]
    arguments += [] if _PREFIX in options else [_PREFIX, f"{OURS}{secrets.token_hex(8)}"]
    return [*arguments, *([_REQUEUE] if retries and "--slurm-no-requeue" not in options else [])]


def status_command() -> str:
    """Return the command by which the executor follows its jobs: `squeue` or `sacct`.

    `squeue` is taken where the controller knows ended jobs for long enough, else `sacct`, which needs
    accounting. Left to itself, the plugin (2.8) takes `sacct` wherever it is installed and notes its failures
    at debug level only: without accounting it would wait for ever. Of `sacct` it does not understand the
    state `CANCELLED by UID` and would wait for ever, too.

    Raises:
        UserError: Neither answers, or only `squeue` does and the controller forgets ended jobs too soon.
    """
    problems = []
    try:
        active_jobs()
        age = _min_job_age()
        if age >= SHORTEST_AGE:
            return "squeue"
        problems.append(f"MinJobAge is {age} seconds, below the {SHORTEST_AGE} that squeue needs")
    except NoAnswerError as error:
        problems.append(str(error))
    try:
        _ask("sacct", "--allocations", "--noheader", "--starttime=now", "--format=JobIDRaw")
    except NoAnswerError as error:
        problem = f"expected Slurm to say how jobs end, but {' and '.join([*problems, str(error)])}"
        hint = "Run it where Slurm's commands work; its administrators can set MinJobAge or accounting"
        raise UserError(problem, field="--executor", hint=hint) from None
    return "sacct"


def _min_job_age() -> int:
    """Return for how many seconds the controller knows jobs that have ended.

    Raises:
        NoAnswerError: The controller does not answer.
    """
    found = re.search(r"^MinJobAge\s*=\s*(\d+)", _ask("scontrol", "show", "config"), re.MULTILINE)
    return int(found[1]) if found else 0


_COLUMNS: Final = "%i|%T|%r|%j|%k|%N|%l|%Z"  # the folder comes last, since it may contain the separator


def active_jobs() -> list[SlurmJob]:
    """Return our jobs that have not ended, those that are ending included.

    Raises:
        NoAnswerError: Slurm does not answer.
    """
    return [job for job in _jobs() if job.active]


def known_jobs() -> list[SlurmJob]:
    """Return our jobs that the controller knows: the active ones, and for MinJobAge those that have ended.

    Raises:
        NoAnswerError: Slurm does not answer.
    """
    return _jobs("--states=all")


def _jobs(*options: str) -> list[SlurmJob]:
    rows = _ask("squeue", "--noheader", f"--user={getpass.getuser()}", f"--format={_COLUMNS}", *options)
    return [_row(row) for row in rows.splitlines() if row.count("|") >= _COLUMNS.count("|")]


def _row(row: str) -> SlurmJob:
    number, state, reason, name, comment, node, limit, folder = row.split("|", _COLUMNS.count("|"))
    return SlurmJob(
        number,
        state,
        reason=_said(reason),
        node=_said(node),
        name=name,
        rule=comment.removeprefix("rule_") if comment.startswith("rule_") else "",
        limit=_said(limit),
        folder=folder,
    )


def described(number: str) -> SlurmJob | None:
    """Return a job by its number, also one that has ended; None if Slurm no longer knows it.

    The controller knows ended jobs for MinJobAge, the accounting longer.
    """
    try:
        return _of_controller(number, _ask("scontrol", "show", "job", number, "--oneliner"))
    except NoAnswerError:
        pass
    try:
        return _of_accounting(number)
    except NoAnswerError:
        return None


def _of_controller(number: str, answer: str) -> SlurmJob:
    values = dict(re.findall(r"(?:^|\s)([A-Za-z]+)=(\S*)", answer))
    return SlurmJob(
        number,
        values.get("JobState", "UNKNOWN"),
        reason=_said(values.get("Reason", "")),
        node=_said(values.get("NodeList", "")),
        limit=_said(values.get("TimeLimit", "")),
        restarts=int(values.get("Restarts", "0")),
        exit_code=values.get("ExitCode", ""),
    )


def _of_accounting(number: str) -> SlurmJob | None:
    columns = "State,Reason,NodeList,Timelimit,ExitCode"
    rows = _ask(
        "sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={number}", f"--format={columns}"
    )
    if not rows.strip():
        return None
    state, reason, node, limit, code = rows.splitlines()[0].split("|")
    return SlurmJob(
        number,
        state.split()[0],
        reason=_said(reason),
        node=_said(node),
        limit=_said(limit),
        exit_code=code,
    )


def steps_out_of_memory(number: str) -> bool:
    """Return whether the accounting says of a step of this job that it had no memory left.

    The job itself then counts as FAILED: its script outlives the step and reports an exit code.
    """
    try:
        rows = _ask("sacct", "--noheader", "--parsable2", f"--jobs={number}", "--format=State")
    except NoAnswerError:
        return False
    return any(row.startswith("OUT_OF_ME") for row in rows.splitlines())


def has_ended(number: str, cluster: str) -> bool:
    """Return whether Slurm proves that a job of a cluster has ended; False if it cannot tell.

    A job that the cluster's controller does not know has ended: it knows all that have not.
    """
    try:
        if cluster and cluster != _cluster():
            return False
        answer = _ask("squeue", "--noheader", "--states=all", f"--jobs={number}", "--format=%T")
    except NoAnswerError as error:
        return "Invalid job id" in str(error)
    return not any(state.strip() in _ACTIVE for state in answer.splitlines())


def _cluster() -> str:
    found = re.search(r"^ClusterName\s*=\s*(\S+)", _ask("scontrol", "show", "config"), re.MULTILINE)
    return found[1] if found else ""


def cancel(numbers: Iterable[str]) -> None:
    """Cancel jobs.

    Raises:
        NoAnswerError: Slurm does not answer.
    """
    _ask("scancel", *numbers)


def requeue(number: str) -> None:
    """Put a job back in the queue, also one that was preempted or has lost its node.

    Raises:
        NoAnswerError: Slurm does not do it.
    """
    _ask("scontrol", "requeue", number)


def end_for_good(number: str) -> None:
    """Turn a job that was preempted, or has lost its node, into a cancelled one.

    The executor's plugin (2.8) expects such jobs to come back and would wait for ever.

    Raises:
        NoAnswerError: Slurm does not do it.
    """
    _ask("scontrol", "requeuehold", number)
    _ask("scancel", number)


def _said(value: str) -> str:
    """Return a value of Slurm's answer; "" for its words for nothing."""
    return "" if value in ("None", "(null)", "N/A") else value


def own_job() -> str:
    """Return the number of the Slurm job in which this process runs; "" outside Slurm."""
    return os.environ.get(JOB, "")
