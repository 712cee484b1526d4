"""The interface to Snakemake: the plan as its JSON, what repeats a step, its command, its progress."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from w2s_factory.errors import UserError
from w2s_factory.experiment import slurm
from w2s_factory.experiment.run_contents import CONTENTS
from w2s_factory.experiment.slurm import value_of
from w2s_factory.experiment.steps import OURS
from w2s_factory.packages import extra_command, pip_install
from w2s_factory.quantities import Jobs
from w2s_factory.ranges import check
from w2s_factory.records import content_hash
from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.resources import Environments, Need
    from w2s_factory.experiment.steps import Step

PLAN: Final = "plan.json"
LOG: Final = "logs/snakemake.log"
SCRIPTS: Final = "scripts"
SNAKEFILE: Final = Path(__file__).with_name("Snakefile")
RESTORED: Final = "W2S_FACTORY_RESTORED"
"""The environment variable by which the Snakefile gets the rules of steps that alone are repeated."""

REMOTE_KINDS: Final = ("train", "export", "generate")
"""Kinds of steps that an executor sends to other machines; the others take seconds and run here."""

CLUSTER_JOBS: Final = 100
COMPARED_BYTES: Final = "2GB"
"""Inputs up to this size are compared by content; larger ones, such as weights of base models, by time."""

_LARGEST: Final = 2 * 10**9
"""`COMPARED_BYTES` as a number."""

_BUILT_IN = ("local", "dryrun", "touch")

LATENCY: Final = 60
"""The seconds for which a file of a job on another machine may be late to appear on this one."""

_LATENCY: Final = ("--latency-wait", "--output-wait", "-w")
_PROFILES: Final = ("--profile", "--workflow-profile")
PROFILE: Final = "SNAKEMAKE_PROFILE"
"""The environment variable that names a profile of Snakemake's arguments."""


def as_workflow(plan: Plan) -> dict[str, Any]:
    """Return the plan as the Snakefile reads it, with a hash of each file that no step writes.

    Raises:
        UserError: A file that no step writes does not exist.
    """
    made = {file for step in plan.steps for file in step.writes} | {CONTENTS}
    outside = {file for step in plan.steps for file in _outside(step, made)}
    contents = {file: _content(Path(file)) for file in outside}
    steps = [_rule(step, made, contents) for step in plan.steps]
    return {"targets": [file for step in plan.steps for file in step.writes], "steps": steps}


def snakemake_command(
    plan: Plan, folder: Path, *, jobs: Jobs | None, executor: str | None, arguments: Sequence[str]
) -> list[str]:
    """Return the command line that brings a folder up to date with its plan.

    Snakemake's own lock is off: `run` holds a lock of its own, which ends with its process.

    Raises:
        UserError: The executor is not installed or not known, Slurm does not answer, its jobs could not be
            followed, or `jobs` is out of its range.
    """
    check(jobs, Jobs | None, "jobs")
    profile = PROFILE in os.environ or any(value_of(option, arguments) for option in _PROFILES)
    _check_arguments(executor, arguments, profile=profile)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(folder)]
    command += ["--rerun-triggers", "mtime", "params", "input", "--max-checksum-file-size", COMPARED_BYTES]
    command += ["--rerun-incomplete", "--nolock"]
    if executor in (None, "local"):
        gpus = max(step.need.gpus for step in plan.steps)
        command += ["--cores", str(jobs or os.cpu_count() or 1), "--resources", f"gpu={gpus}"]
        command += ["--executor", "local"] if profile else []
    else:
        check_executor(str(executor))
        command += ["--executor", str(executor), "--jobs", str(jobs or CLUSTER_JOBS)]
        command += [] if profile or latency(arguments) is not None else [_LATENCY[0], str(LATENCY)]
    if executor == slurm.NAME:
        command += slurm.executor_arguments(arguments, plan.experiment.resources)
    return [*command, *arguments]


def latency(words: Sequence[str]) -> int | None:
    """Return the seconds for which Snakemake waits for files of jobs, as its arguments have it."""
    given = [value for option in _LATENCY if (value := value_of(option, words)) is not None]
    return int(given[-1]) if given and given[-1].isdecimal() else None


def _check_arguments(executor: str | None, arguments: Sequence[str], *, profile: bool) -> None:
    """Check that it is clear where the jobs run, and that Snakemake says what they do.

    Raises:
        UserError: It is not, or it does not.
    """
    for word in arguments:
        if re.match(r"-e|--exec", word):
            raise UserError("expected no executor after --", field=word, hint="Use --executor NAME before it")
        if executor == slurm.NAME and re.match(r"-q|--quiet", word):
            raise UserError("is not possible with Slurm, whose jobs are followed in the output", field=word)
    if profile and executor is None:
        hint = "Add --executor NAME (local for this machine)"
        raise UserError("a profile of Snakemake may name an executor", field="--executor", hint=hint)


def check_executor(name: str) -> None:
    """Check that an executor of Snakemake is installed.

    Raises:
        UserError: It is not; the hint names the package to install.
    """
    module = f"snakemake_executor_plugin_{name.replace('-', '_')}"
    if name not in _BUILT_IN and not module.isidentifier():
        raise UserError(f'expected the name of an executor, got "{name}"', field="--executor")
    if name not in _BUILT_IN and importlib.util.find_spec(module) is None:
        hint = pip_install(f"snakemake-executor-plugin-{name}")
        if name == slurm.NAME:
            hint = f"Install the extra slurm: {extra_command('slurm')}"
        raise UserError(f"Snakemake's executor {name} is not installed", field="--executor", hint=hint)


def script_of(step: Step, environments: Environments) -> list[str]:
    """Return a step's commands as lines for a shell, with the interpreters that run them."""
    python = environments.generate if step.kind == "generate" and environments.generate else sys.executable
    return [
        shlex.join([python, "-m", "w2s_factory", *command[1:]] if command[0] == OURS else command)
        for command in step.commands
    ]


def _rule(step: Step, made: set[str], contents: Mapping[str, str]) -> dict[str, Any]:
    return {
        "rule": step.rule,
        "reads": [file for read in step.reads for file in _files(step, read, made)],
        "writes": list(step.writes),
        "log": step.log,
        "benchmark": step.benchmark,
        "local": step.kind not in REMOTE_KINDS,
        "threads": step.need.threads,
        "resources": resources_of(step.need),
        "commands": step.compared,
        "inputs": [contents[file] for file in _outside(step, made)],
    }


def _outside(step: Step, made: set[str]) -> Iterator[str]:
    """Yield the files a step reads that no step writes."""
    return (file for read in step.reads if read not in made for file in _files(step, read, made))


def _content(file: Path) -> str:
    """Return a text that changes with a file's content, whatever its time stamp: a hash, or its size."""
    size = file.stat().st_size
    return f"{size} bytes" if size > _LARGEST else content_hash(file)


def resources_of(need: Need) -> dict[str, str | int]:
    """Return what a step needs by Snakemake's names of resources."""
    named = {"gpu": need.gpus, "mem": need.mem, "runtime": need.runtime}
    return {**{key: value for key, value in named.items() if value}, **need.more}


def _files(step: Step, read: str, made: set[str]) -> Iterator[str]:
    """Yield a file, or the files in a folder that decide what a model is (not its README)."""
    path = Path(read)
    if read in made:
        yield read
    elif path.is_dir():
        yield from (str(file) for file in sorted(path.iterdir()) if file.is_file() and _decides(file))
    elif path.is_file():
        yield str(path.absolute())
    else:
        raise UserError(f"no such file or folder; {step.name} needs it", file=read, hint=_hint(read))


def _decides(file: Path) -> bool:
    return file.suffix != ".md" and not file.name.startswith(".")


def _hint(read: str) -> str | None:
    if "data/raw/" in read or "/outputs/" in read:
        return "Set the root of the published release: `release: DIR` in the experiment, or W2S_RELEASE"
    return None


def as_json(workflow: dict[str, Any]) -> str:
    """Return the workflow as the text of `plan.json`."""
    return json.dumps(workflow, indent=1) + "\n"


class Submission(NamedTuple):
    """A step's job in Slurm.

    Attributes:
        job: The number of the job.
        log: Slurm's log of it.
    """

    job: str
    log: Path


_TOTAL = re.compile(r"total +(\d+)")
_BEGINS = re.compile(r"(?:local)?rule (\w+):")
_NUMBER = re.compile(r" +jobid: (\d+)$")
_ENDS = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
_FAILS = re.compile(r"Error in rule (\w+)")
_REFUSES = re.compile(r"(?:\S+: error: |Error: (?=Error parsing ))(.+)")
_SUBMITS = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\w+) \(log: (.+)\)\.")
_NOT_SUBMITTED = re.compile(r" +message: *(SLURM sbatch failed\..*|Job submission failed .*)")
EVERYTHING: Final = "everything"
"""The rule that is not a step: it asks for all files."""


@dataclass
class Progress:
    """The state of a workflow, read from the lines that Snakemake (9) and its executor for Slurm (2.8) print.

    Attributes:
        names: Step names by rule.
        tell: The function that gets a line for each finished step.
        total: The number of steps to do.
        done: The number of finished steps.
        failed: The rules that failed.
        refused: Snakemake's message about arguments that it refuses; "" if there is none.
        active: The last job in Slurm of each rule that has one and whose end Snakemake has not noticed.
        submitted: The last job in Slurm of each rule, also after its end.
        not_submitted: The executor's message about each rule whose job Slurm did not accept.
    """

    names: Mapping[str, str]
    tell: Callable[[str], None]
    total: int = 0
    done: int = 0
    failed: list[str] = field(default_factory=list)
    refused: str = ""
    active: dict[str, Submission] = field(default_factory=dict)
    submitted: dict[str, Submission] = field(default_factory=dict)
    not_submitted: dict[str, str] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)
    _rules: dict[str, str] = field(default_factory=dict)
    _rule: str = ""

    def take(self, line: str) -> None:
        """Update the state from a line."""
        line = line.rstrip("\n")
        if match := _TOTAL.match(line):
            self.total = int(match[1]) - 1
        elif match := _BEGINS.match(line):
            self._rule = match[1]
            self._since[match[1]] = time.monotonic()
        elif (match := _ENDS.match(line)) and match[1] != EVERYTHING:
            self._end(match[1])
        elif match := _FAILS.match(line):
            self._fail(match[1])
        elif match := _REFUSES.match(line):
            self.refused = shortened(match[1])
        else:
            self._take_job(line)

    def _take_job(self, line: str) -> None:
        if match := _NUMBER.match(line):
            self._rules[match[1]] = self._rule
        elif (match := _SUBMITS.match(line)) and match[1] in self._rules:
            rule = self._rules[match[1]]
            self.active[rule] = self.submitted[rule] = Submission(match[2], Path(match[3]))
        elif match := _NOT_SUBMITTED.match(line):
            self.not_submitted[self._rule] = shortened(match[1])

    def _end(self, rule: str) -> None:
        self.active.pop(rule, None)
        self.done += 1
        took = time.monotonic() - self._since.get(rule, time.monotonic())
        width = len(str(self.total))
        self.tell(f"[{self.done:>{width}}/{self.total}] {self.names.get(rule, rule)}  {took:.1f} s")

    def _fail(self, rule: str) -> None:
        self._rule = rule
        self.active.pop(rule, None)
        if rule not in self.failed:
            self.failed.append(rule)
