"""The folder of a run: its lock, processes left by a killed run, files for Snakemake, outdated files."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import UserError
from w2s_factory.experiment.run_contents import CONTENTS
from w2s_factory.experiment.run_lock import LOCK, lock_folder
from w2s_factory.experiment.slurm import job_of, own_job
from w2s_factory.experiment.workflow import PLAN, SCRIPTS, as_json, as_workflow, script_of
from w2s_factory.processes import family, kill_family
from w2s_factory.records import Outputs, is_same_file, read_object
from w2s_factory.records.reader import read_text
from w2s_factory.records.yaml_files import LARGEST, dump_yaml, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from w2s_factory.experiment.plan import Plan

_REASONS: Final = [os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)]
"""The system's messages, found in any program's output, when a disk does not take a file."""

_FILES: Final = (
    re.compile(r"Error: (?P<file>.+?): cannot be written \("),  # ours
    re.compile(r"\[Errno \d+\] [^:]+: '(?P<file>[^']+)'"),  # Python's
)

_HINT: Final = "Free some space; then the same command continues"


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Report an error of the system as one of the user about this file, which the system often does not name.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=error.filename or file) from None


def unwritable(log: Iterable[str], folder: Path) -> UserError | None:
    """Return the error for a file that could not be written, if the end of a step's log says so.

    Args:
        log: The last lines of the log.
        folder: The run's folder, in which the step ran; the error names it if the log names no file.
    """
    for line in log:
        for reason in _REASONS:
            if reason in line:
                found = next(filter(None, (pattern.search(line) for pattern in _FILES)), None)
                file = folder / found["file"] if found else folder
                return UserError(f"cannot be written ({reason})", file=file, hint=_HINT)
    return None


EXPERIMENT = "experiment.yaml"
MARK = "W2S_FACTORY_EXPERIMENT"
"""The environment variable by which the processes of a run are found; its value is that of `mark_of`."""

_PART = re.compile(r"seed\d+|\d+-of-\d+")


def mark_of(folder: Path) -> str:
    """Return the value of `MARK` for a run's folder, by whatever path the folder is named."""
    return os.path.realpath(folder)


@contextlib.contextmanager
def held(folder: Path, *, take_over: bool = False) -> Iterator[None]:
    """Lock the folder for the block, after ending processes that a killed run left on this machine.

    Processes of Slurm jobs are not among them.

    Args:
        folder: The folder.
        take_over: Take the lock even from a run that may still be active on another machine.

    Raises:
        UserError: Another run is active in the folder, or may be.
    """
    with contextlib.ExitStack() as stack:
        with writing(folder / LOCK):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_folder(folder, take_over=take_over))
        kill_family(MARK, mark_of(folder), _is_job)
        yield


def _is_job(environ: Mapping[str, str]) -> bool:
    """Return whether a process belongs to a Slurm job other than this one."""
    return job_of(environ) not in ("", own_job())


def processes_left(folder: Path) -> int:
    """Return the number of processes that a killed run left on this machine."""
    return len(family(MARK, mark_of(folder), _is_job))


def prepare(plan: Plan, folder: Path, source: Path | None = None) -> None:
    """Write the experiment, its contents and its plan into the folder; remove what is no longer planned.

    Args:
        plan: The plan.
        folder: The run's folder.
        source: The experiment file that was read, which is never overwritten.

    Raises:
        UserError: The folder is not that of a run of this experiment, or an input is missing.
    """
    refuse_others(plan.experiment.name, folder)
    workflow = as_workflow(plan)
    resolved = plan.experiment.model_dump(mode="json", exclude_defaults=True)
    text = dump_yaml(resolved)
    with Outputs(reads=_kept(source, folder / EXPERIMENT, text), force=True) as outputs:
        outputs.text(folder / EXPERIMENT, text)
        outputs.text(folder / CONTENTS, plan.contents.model_dump_json(indent=1) + "\n")
        outputs.text(folder / PLAN, as_json(workflow))
        for step in plan.steps:
            script = script_of(step, plan.experiment.environments)
            outputs.text(folder / SCRIPTS / f"{step.rule}.sh", "\n".join(script) + "\n")
    _remove_unplanned(plan, folder)


def _kept(source: Path | None, written: Path, text: str) -> list[Path]:
    """Return the experiment file if it must not be overwritten; the run's own copy may be, by the same text.

    Raises:
        UserError: It is the run's own copy, and the run would change it.
    """
    if source is None:
        return []
    if not is_same_file(source, written):
        return [source]
    if read_text(source, largest=LARGEST) != text:
        problem = "is the run's own copy, and the run would change it"
        hint = "Run a copy from another folder, or name another folder for the run: --output-dir DIR"
        raise UserError(problem, file=source, hint=hint)
    return []


def refuse_others(name: str, folder: Path) -> None:
    """Refuse a folder that is not that of a run of this experiment; a new or empty one is accepted.

    Both the run's copy of the experiment and the list of its contents have its name, since one of them may be
    damaged; both are written again.

    Raises:
        UserError: It holds an experiment file without a run, or the run of another experiment, or it is not a
            folder.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError("is not a folder", file=folder, hint="Name another folder: --output-dir DIR")
    there = folder / EXPERIMENT
    if not there.exists() or _name_in_contents(folder) == name:
        return
    if not (folder / PLAN).exists():
        raise UserError(
            f"holds {EXPERIMENT}, which a run would overwrite",
            file=folder,
            hint="Name another folder: --output-dir DIR",
        )
    other = read_yaml(there).values.get("name")
    if other != name:
        raise UserError(
            f"is the folder of another experiment ({other})",
            file=folder,
            hint="Name another folder: --output-dir DIR",
        )


def _name_in_contents(folder: Path) -> object:
    """Return the experiment's name in the list of a run's contents; None if it cannot be read."""
    try:
        return read_object(folder / CONTENTS).get("name")
    except UserError:
        return None


def _remove_unplanned(plan: Plan, folder: Path) -> None:
    """Remove seeds and shards of earlier plans next to planned ones, since steps read all of a folder."""
    planned = {
        parent for step in plan.steps for file in step.writes for parent in Path(file).parents
        if _PART.fullmatch(parent.name)
    }  # fmt: skip
    for siblings in {part.parent for part in planned} - {Path()}:
        for path in (folder / siblings).glob("*"):
            if _PART.fullmatch(path.name) and siblings / path.name not in planned:
                with writing(path):
                    shutil.rmtree(path)
