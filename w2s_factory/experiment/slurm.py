"""The interface to Slurm's commands: which of them answer, a user's jobs, how a job ended, its requeueing."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import UserError
from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from w2s_factory.experiment.resources import Resources

NAME: Final = "slurm"
"""The name of the executor, as `--executor` takes it."""

_EXECUTOR, _STATUS, _PREFIX = "--executor", "--slurm-status-command", "--slurm-jobname-prefix"
_REQUEUE, _NO_REQUEUE = "--slurm-requeue", "--slurm-no-requeue"
_INTERVAL: Final = "--slurm-init-seconds-before-status-checks"

_FIRST_CHECK: Final = 40
"""The seconds before the executor's first look at a job, where the user gives no others (plugin 2.8)."""

LONGEST_PAUSE: Final = 180
"""The most seconds between two of the executor's looks at its jobs (plugin 2.8)."""

_OTHER_CLUSTER: Final = re.compile(r"(?:^|[\s:=-])((?:slurm_)?clusters?|SBATCH_CLUSTERS)=")
"""Options that send jobs to another cluster, where the executor's `squeue` does not show them."""

SECONDS: Final = 60
"""The seconds that a command of Slurm has to answer."""

SHORTEST_AGE: Final = LONGEST_PAUSE + 20
"""The least MinJobAge with which `squeue` alone is enough.

A job that the controller forgets between two of the executor's looks would count as running for ever.
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
            env=unfiltered(os.environ),
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


def unfiltered(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which Slurm's commands see all of a user's jobs.

    Variables such as SQUEUE_STATES act like options, and jobs in hidden partitions are shown only on demand.
    """
    filters = ("SQUEUE_", "SCANCEL_", "SACCT_")
    kept = {name: value for name, value in environ.items() if not name.startswith(filters)}
    return {**kept, "SQUEUE_ALL": "1", "SCONTROL_ALL": "1"}


def value_of(option: str, words: Sequence[str]) -> str | None:
    """Return the last value of an option, in either spelling (`--a b`, `--a=b`); None if it is not there."""
    found = None
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if word == option:
            found = following
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found


def submits(command: Sequence[str]) -> bool:
    """Return whether a command of Snakemake submits jobs to Slurm."""
    return value_of(_EXECUTOR, command) == NAME


def prefix_of(command: Sequence[str]) -> str | None:
    """Return how the names of the jobs begin that a command of Snakemake submits; None if it submits none."""
    return value_of(_PREFIX, command) if submits(command) else None


def longest_pause(command: Sequence[str]) -> int:
    """Return the most seconds between two of the executor's looks at its jobs."""
    given = value_of(_INTERVAL, command) or ""
    return max(LONGEST_PAUSE, int(given) if given.isdecimal() else 0)


def executor_arguments(given: Sequence[str], resources: Resources) -> list[str]:
    """Return the arguments of Snakemake's executor for Slurm, without those that the user gives.

    Args:
        given: The user's arguments of Snakemake.
        resources: The experiment's resources.

    Raises:
        UserError: Slurm does not answer, or jobs could not be followed or found.
    """
    _check_followed(given, resources)
    arguments = [] if value_of(_STATUS, given) else [_STATUS, status_command(given)]
    arguments += [] if value_of(_PREFIX, given) else [_PREFIX, f"w2s-{secrets.token_hex(8)}"]
    if resources.retries is None or {_REQUEUE, _NO_REQUEUE} & set(given):
        return arguments
    return [*arguments, _REQUEUE if resources.retries else _NO_REQUEUE]


def _check_followed(given: Sequence[str], resources: Resources) -> None:
    """Check that the jobs can be followed, and found after a kill.

    Raises:
        UserError: They cannot.
    """
    if value_of(_PREFIX, given) == "":
        raise UserError("expected a prefix, by which a run finds its jobs", field=_PREFIX)
    kinds = (resources.train, resources.export, resources.generate, resources.data)
    more = [f"{name}={value}" for need in kinds for name, value in need.more.items()]
    for words in (*more, *given, *(f"{name}=" for name in os.environ if name == "SBATCH_CLUSTERS")):
        if found := _OTHER_CLUSTER.search(words):
            hint = "Start the run on a machine of that cluster, or set SLURM_CLUSTERS"
            raise UserError("jobs on another cluster cannot be followed", field=found[1], hint=hint)


def status_command(given: Sequence[str] = ()) -> str:
    """Return the command by which the executor follows its jobs: `squeue` or `sacct`.

    `squeue` is taken where the controller knows ended jobs for long enough, else `sacct`, which needs
    accounting. Left to itself, the plugin (2.8) takes `sacct` wherever it is installed and notes its failures
    at debug level only: without accounting it would wait for ever. Of `sacct` it does not understand the
    state `CANCELLED by UID` and would wait for ever, too. Of `squeue` it makes no use either if MinJobAge is
    less than three times the interval of its looks.

    Args:
        given: The user's arguments of Snakemake.

    Raises:
        UserError: Neither answers, or only `squeue` does and the controller forgets ended jobs too soon.
    """
    problems = []
    try:
        active_jobs()
        age, interval = _min_job_age(), value_of(_INTERVAL, given) or ""
        needed = max(SHORTEST_AGE, 3 * (int(interval) if interval.isdecimal() else _FIRST_CHECK))
        if age >= needed:
            return "squeue"
        problems.append(f"MinJobAge is {age} seconds, below the {needed} that squeue needs")
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
    """Return the user's jobs that have not ended, those that are ending included.

    Raises:
        NoAnswerError: Slurm does not answer.
    """
    return [job for job in _jobs() if job.active]


def known_jobs() -> list[SlurmJob]:
    """Return the user's jobs that the controller knows: active ones, and for MinJobAge those that have ended.

    Raises:
        NoAnswerError: Slurm does not answer.
    """
    return _jobs("--states=all")


def _jobs(*options: str) -> list[SlurmJob]:
    # by number: for a name that it does not know, which LOGNAME may be, squeue exits with 0 and shows no job
    rows = _ask("squeue", "--noheader", f"--user={os.getuid()}", f"--format={_COLUMNS}", *options)
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


def has_ended(number: str, cluster: str, uid: int) -> bool:
    """Return whether Slurm proves that a user's job of a cluster has ended; False if it cannot tell.

    A job that the cluster's controller does not know has ended, since it knows all that have not. It may hide
    those of other users, though (PrivateData).
    """
    try:
        if not cluster or uid != os.getuid() or cluster != _cluster():
            return False
        answer = _ask("squeue", "--noheader", "--states=all", f"--jobs={number}", "--format=%T")
    except NoAnswerError as error:
        return "Invalid job id" in str(error)
    states = answer.split()
    return bool(states) and not any(state in _ACTIVE for state in states)


def _cluster() -> str:
    """Return the name of the cluster whose controller answers.

    Raises:
        NoAnswerError: It does not answer.
    """
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


def _said(value: str) -> str:
    """Return a value of Slurm's answer; "" for its words for nothing."""
    return "" if value in ("None", "(null)", "N/A") else value


def job_of(environ: Mapping[str, str]) -> str:
    """Return the number of the Slurm job of a process, from its environment; "" outside Slurm's nodes.

    A shell that `salloc` starts on the login node has a number, too, but outlives its job.
    """
    return environ.get("SLURM_JOB_ID", "") if environ.get("SLURMD_NODENAME") else ""


def own_job() -> str:
    """Return the number of the Slurm job in which this process runs; "" outside Slurm."""
    return job_of(os.environ)
