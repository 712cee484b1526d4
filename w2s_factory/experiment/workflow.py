"""The interface to Snakemake: the plan as its JSON, what repeats a step, and its command."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, Field, ValidationError

from w2s_factory.errors import UserError
from w2s_factory.experiment import slurm
from w2s_factory.experiment.run_contents import CONTENTS
from w2s_factory.experiment.slurm import value_of
from w2s_factory.experiment.steps import OURS
from w2s_factory.packages import extra_command, pip_install
from w2s_factory.quantities import Jobs
from w2s_factory.ranges import check
from w2s_factory.records import content_hash, read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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


def restoring(command: Sequence[str], rules: Sequence[str]) -> list[str]:
    """Return a command that repeats rules and nothing else: without the user's own selection of work."""
    targets = set(getattr(_parsed(command), "targets", ()))
    kept: list[str] = []
    dropping = False
    for word in command:
        option = word.startswith("-") and word != "-"
        dropping = _selects(word) if option else dropping
        if not dropping and word not in targets and word != "--":
            kept.append(word)
    start = kept.index("--snakefile")
    return [*kept[:start], "--forcerun", *rules, *kept[start:]]


def is_dry(command: Sequence[str]) -> bool:
    """Return whether a command only reports or records something, and carries out no step."""
    arguments = _parsed(command)
    return any(getattr(arguments, name, None) for name in _DRY) or (
        getattr(arguments, "executor", None) in ("dryrun", "touch")
    )


_SELECTING: Final = (
    *("--until", "--omit-from", "--forcerun", "--forceall", "--force"),
    *("--batch", "--allowed-rules", "--target-jobs"),
)
_DRY: Final = (
    *("dryrun", "touch", "lint", "unlock", "summary", "detailed_summary", "archive", "cleanup_metadata"),
    *("dag", "rulegraph", "filegraph", "d3dag", "list_rules", "list_target_rules", "print_compilation"),
    *("list_changes", "list_input_changes", "list_params_changes", "list_untracked", "containerize"),
    *("delete_all_output", "delete_temp_output", "generate_unit_tests", "export_cwl"),
)
"""The names that Snakemake (9) gives to arguments with which it carries out no step."""


def _selects(option: str) -> bool:
    """Return whether an option, which may be shortened, selects the steps to do."""
    name = option.partition("=")[0]
    if name.startswith("--"):
        return any(known.startswith(name) for known in _SELECTING)
    return name[1:2] in "UORFf"


def _parsed(command: Sequence[str]) -> object:
    """Return a command's arguments as Snakemake reads them; None if it refuses them."""
    from snakemake.cli import get_argument_parser  # noqa: PLC0415  takes a second

    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            return get_argument_parser().parse_args(command[command.index("--snakefile") :])
    except SystemExit:
        return None


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
    writes: list[str] = Field(min_length=1)
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

    steps: list[PlannedStep] = Field(min_length=1)


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
