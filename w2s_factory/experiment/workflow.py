"""From a plan to what Snakemake needs: the plan as JSON, and a command line."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError
from w2s_factory.experiment.run_contents import CONTENTS
from w2s_factory.experiment.steps import OURS
from w2s_factory.quantities import Jobs
from w2s_factory.ranges import check
from w2s_factory.records import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.spec import Environments, Need
    from w2s_factory.experiment.steps import Step

PLAN: Final = "plan.json"
SCRIPTS: Final = "scripts"
SNAKEFILE: Final = Path(__file__).with_name("Snakefile")
REMOTE_KINDS: Final = ("train", "export", "generate")
"""Kinds that an executor sends to other machines; the others take seconds and stay."""

CLUSTER_JOBS: Final = 100
COMPARED_BYTES: Final = "2GB"
"""Inputs up to this size are compared by content; larger ones, weights of base models, by time."""

_LARGEST: Final = 2 * 10**9
"""The same in bytes."""

_BUILT_IN = ("local", "dryrun", "touch")


def as_workflow(plan: Plan) -> dict[str, Any]:
    """What the Snakefile reads; files from outside are hashed for it.

    Raises:
        UserError: A file that no step makes is not there.
    """
    made = {file for step in plan.steps for file in step.writes} | {CONTENTS}
    outside = {file for step in plan.steps for file in _outside(step, made)}
    contents = {file: _content(Path(file)) for file in outside}
    steps = [_rule(step, made, contents) for step in plan.steps]
    return {"targets": [file for step in plan.steps for file in step.writes], "steps": steps}


def snakemake_command(
    plan: Plan, folder: Path, *, jobs: Jobs | None, executor: str | None, arguments: Sequence[str]
) -> list[str]:
    """The command line that brings a folder up to date with its plan.

    `run` keeps others out of the folder by a lock of its own, which no killed process leaves behind.

    Raises:
        UserError: There is no such executor here, or `jobs` is out of its range.
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
    return [*command, *arguments]


def check_executor(name: str) -> None:
    """Refuse an executor that Snakemake does not have here.

    Raises:
        UserError: Names the package to install.
    """
    module = f"snakemake_executor_plugin_{name.replace('-', '_')}"
    if name not in _BUILT_IN and not module.isidentifier():
        raise UserError(f'no executor has the name "{name}"', field="--executor")
    if name not in _BUILT_IN and importlib.util.find_spec(module) is None:
        raise UserError(
            f"Snakemake has no executor {name} here",
            field="--executor",
            hint=f"Install it: pip install snakemake-executor-plugin-{name}",
        )


def script_of(step: Step, environments: Environments) -> list[str]:
    """A step's commands with the interpreters that run them, for a shell."""
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
    """The files a step reads that no step makes."""
    return (file for read in step.reads if read not in made for file in _files(step, read, made))


def _content(file: Path) -> str:
    """What tells whether a file that no step makes is another one now, whatever its time stamp says."""
    size = file.stat().st_size
    return f"{size} bytes" if size > _LARGEST else content_hash(file)


def resources_of(need: Need) -> dict[str, str | int]:
    """A need in Snakemake's words."""
    named = {"gpu": need.gpus, "mem": need.mem, "runtime": need.runtime}
    return {**{key: value for key, value in named.items() if value}, **need.more}


def _files(step: Step, read: str, made: set[str]) -> Iterator[str]:
    """A file, or those of a folder: a model is the same while they are, whatever is written about it."""
    path = Path(read)
    if read in made:
        yield read
    elif path.is_dir():
        yield from (str(file) for file in sorted(path.iterdir()) if file.is_file() and _decides(file))
    elif path.is_file():
        yield str(path.absolute())
    else:
        raise UserError(f"no such file or folder, and {step.name} needs it", file=read, hint=_hint(read))


def _decides(file: Path) -> bool:
    return file.suffix != ".md" and not file.name.startswith(".")


def _hint(read: str) -> str | None:
    if "data/raw/" in read or "/outputs/" in read:
        return "Name the root of the published release: `release: DIR` in the experiment, or W2S_RELEASE"
    return None


def as_json(workflow: dict[str, Any]) -> str:
    """The workflow as `plan.json` holds it."""
    return json.dumps(workflow, indent=1) + "\n"
