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
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from w2s_factory.errors import UserError
from w2s_factory.experiment import slurm
from w2s_factory.experiment.run_contents import CONTENTS
from w2s_factory.experiment.steps import OURS
from w2s_factory.quantities import Jobs
from w2s_factory.ranges import check
from w2s_factory.records import content_hash, read_object
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
        UserError: The executor is not installed, Slurm does not answer, or `jobs` is out of its range.
    """
    check(jobs, Jobs | None, "jobs")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(folder)]
    command += ["--rerun-triggers", "mtime", "params", "input", "--max-checksum-file-size", COMPARED_BYTES]
    command += ["--rerun-incomplete", "--nolock"]
    if executor in (None, "local"):
        gpus = max(step.need.gpus for step in plan.steps)
        command += ["--cores", str(jobs or os.cpu_count() or 1), "--resources", f"gpu={gpus}"]
    else:
        check_executor(str(executor))
        command += ["--executor", str(executor), "--jobs", str(jobs or CLUSTER_JOBS)]
    if executor == slurm.NAME:
        command += slurm.executor_arguments(arguments, plan.experiment.resources.retries)
    return [*command, *arguments]


def check_executor(name: str) -> None:
    """Check that an executor of Snakemake is installed.

    Raises:
        UserError: It is not; the hint names the package to install.
    """
    module = f"snakemake_executor_plugin_{name.replace('-', '_')}"
    if name not in _BUILT_IN and not module.isidentifier():
        raise UserError(f'expected the name of an executor, got "{name}"', field="--executor")
    if name not in _BUILT_IN and importlib.util.find_spec(module) is None:
        raise UserError(
            f"Snakemake's executor {name} is not installed",
            field="--executor",
            hint=f"Install it: pip install snakemake-executor-plugin-{name}",
        )


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
        "commands": "\n".join(step.lines()),
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


class PlannedStep(BaseModel):
    """A step as the folder's plan describes it, which also says what it does.

    Attributes:
        rule: The name of its rule.
        reads: The files it depends on.
        writes: The files it writes.
        log: The file to which its output is written.
        benchmark: The file to which Snakemake writes its duration.
        local: Whether it runs where `run` runs, also with an executor.
        threads: The processor cores it needs.
        resources: What else it needs, by Snakemake's names.
        commands: Its commands, a line each.
    """

    rule: str
    reads: list[str]
    writes: list[str]
    log: str
    benchmark: str
    local: bool
    threads: int
    resources: dict[str, str | int]
    commands: str

    @property
    def name(self) -> str:
        """Return the step's name, by which its log is named."""
        return self.log.removeprefix("logs/").removesuffix(".log")


class _PlannedSteps(BaseModel):
    """The folder's plan."""

    steps: list[PlannedStep]


def planned_steps(folder: Path) -> list[PlannedStep]:
    """Return the steps of the plan that the last run wrote into its folder.

    Raises:
        UserError: There is no plan, or it cannot be read.
    """
    try:
        return _PlannedSteps.model_validate(read_object(folder / PLAN)).steps
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(first["msg"], file=folder / PLAN, field=where) from None


def as_json(workflow: dict[str, Any]) -> str:
    """Return the workflow as the text of `plan.json`."""
    return json.dumps(workflow, indent=1) + "\n"


_COMMAND = re.compile(r"  Command: (.+)")
_DRY = re.compile(r" (?:--dry-run|--dryrun|-[a-zA-Z]*n[a-zA-Z]*)(?= |$)")
_REPEATED = re.compile(r" --forcerun ((?:\w+ )+)--snakefile ")
_TABLE = re.compile(r"job +count$")
_LISTED = re.compile(r"(\w+) +\d+$")
_TOTAL = re.compile(r"total +(\d+)")
_MOMENT = re.compile(r"\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\]$")
_BEGINS = re.compile(r"(?:local)?rule (\w+):")
_ENDS = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
_FAILS = re.compile(r"Error in rule (\w+)")
_REFUSES = re.compile(r"(?:\S+: error: |Error: (?=Error parsing ))(.+)")
EVERYTHING: Final = "everything"
"""The rule that is not a step: it asks for all files."""

Event: TypeAlias = Literal["started", "finished", "failed"]
"""The last thing that Snakemake prints about a step."""


@dataclass
class Progress:
    """The state of a workflow, read from the lines that Snakemake (9) prints.

    Its log holds the lines of all calls for a folder, one after the other; each call says anew what is to do.
    Calls that only show what is to do (`-- -n`) do not count.

    Attributes:
        names: Step names by rule.
        tell: The function that gets a line for each step that starts or ends.
        logs: The logs of steps by rule; a step's start is passed to `tell` if its log is here.
        starts: What a step does when Snakemake starts it, if an executor may send it elsewhere.
        total: The number of steps to do.
        done: The number of finished steps.
        failed: The rules that failed.
        refused: Snakemake's message about arguments that it refuses; "" if there is none.
        command: Snakemake's command line.
        listed: The rules that the last call has to do.
        events: The last event of each rule in the last call.
        began: When rules started, in seconds since the epoch.
        restored: The rules that were last done alone, to restore damaged files.
    """

    names: Mapping[str, str]
    tell: Callable[[str], None]
    logs: Mapping[str, Path] = field(default_factory=dict)
    starts: str = "starts"
    total: int = 0
    done: int = 0
    failed: list[str] = field(default_factory=list)
    refused: str = ""
    command: str = ""
    listed: set[str] = field(default_factory=set)
    events: dict[str, Event] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)
    _since: dict[str, float] = field(default_factory=dict)
    _repeated: frozenset[str] = frozenset()
    _moment: float | None = None
    _in_table: bool = False
    _dry: bool = False

    def take(self, line: str) -> None:
        """Update the state from a line."""
        line = line.rstrip("\n")
        if match := _COMMAND.match(line):
            self._call(match[1])
        elif match := _TOTAL.match(line):
            self.total, self._in_table = int(match[1]) - 1, False
        elif match := _REFUSES.match(line):
            self.refused = shortened(match[1])
        elif not self._dry:
            self._take_event(line)

    def _call(self, command: str) -> None:
        """Start over for another call of Snakemake."""
        self._dry = _DRY.search(command) is not None
        if self._dry:
            return
        repeated = _REPEATED.search(command)
        self.command, self._repeated = command, frozenset(repeated[1].split() if repeated else ())
        self.listed, self.events, self.failed = set(), {}, []

    def _take_event(self, line: str) -> None:
        if _TABLE.match(line):
            self._in_table = True
        elif self._in_table and (match := _LISTED.match(line)):
            self.listed.add(match[1])
        elif match := _MOMENT.match(line):
            self._moment = time.mktime(time.strptime(match[1]))
        elif (match := _BEGINS.match(line)) and match[1] != EVERYTHING:
            self._begin(match[1], "starts" if line.startswith("local") else self.starts)
        elif (match := _ENDS.match(line)) and match[1] != EVERYTHING:
            self._end(match[1])
        elif (match := _FAILS.match(line)) and match[1] not in self.failed:
            self.failed.append(match[1])
            self.events[match[1]] = "failed"

    def _begin(self, rule: str, starts: str) -> None:
        self.events[rule], self._since[rule] = "started", time.monotonic()
        if self._moment is not None:
            self.began[rule] = self._moment
        if rule in self.logs:
            self.tell(f"{self.names.get(rule, rule)} {starts}; its log: {self.logs[rule]}")

    def _end(self, rule: str) -> None:
        self.done += 1
        self.events[rule] = "finished"
        (self.restored.add if rule in self._repeated else self.restored.discard)(rule)
        took = time.monotonic() - self._since.get(rule, time.monotonic())
        width = len(str(self.total))
        self.tell(f"[{self.done:>{width}}/{self.total}] {self.names.get(rule, rule)}  {took:.1f} s")
