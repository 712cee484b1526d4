"""Input files of the stages of `build-data`: those that the user names, or else the embedded example.

The files of an experiment's run are found in `experiment/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.building.dataset_files import WEAK_NAME
from w2s_factory.errors import UserError
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from w2s_factory.records import RowSource
    from w2s_factory.tasks import Task

EXAMPLE_TASK = "arithmetic"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The input files of a stage, and what is known with them.

    Attributes:
        task: The task that the files belong to.
        files: The files by option name (`input`; `weak` and `icl`; `weak` and `votes`; `votes`), or the
            rows that a task from a file reads itself.
        weak_name: The weak model's name in file names.
        model: The model to train; None if it is not known.
        preset: The preset that trains it; None if it is not known.
        embedded: Whether this is the embedded example.
        experiment: The name of the experiment whose run has these files; None if they are not from a run.
        simulated: Whether the responses come from simulated solvers, as those of the embedded example do.
    """

    task: Task
    files: Mapping[str, RowSource]
    weak_name: str = WEAK_NAME
    model: str | None = None
    preset: str | None = None
    embedded: bool = False
    experiment: str | None = None
    simulated: bool = False


def inputs_of(
    stage: str, task_name: str | None, named: Mapping[str, Path | None], split: str | None = None
) -> Inputs:
    """Return the inputs of a stage: the files named, or else the task's own rows, or the embedded example.

    Args:
        stage: The stage, as `build-data` calls it.
        task_name: The task; None if it is not named.
        named: The file that each of the stage's options for input files names; None if it is not given.
        split: The split whose rows the task reads itself, if it does.

    Raises:
        UserError: Only some of the stage's files are named, or the task is not; or the task's own rows
            cannot be read.
    """
    files = {option: path for option, path in named.items() if path is not None}
    if not files and split is not None and task_name is not None:
        task = get_task(task_name)
        rows = task.own_rows(split)
        if rows is not None:
            return Inputs(task=task, files={"input": rows})
    if not files and task_name in (None, EXAMPLE_TASK) and stage not in ("2", "self"):
        return _embedded(stage)
    missing = [f"--{option}" for option in named if option not in files]
    if missing:
        hint = "Or name a split of the task: --split" if _reads_itself(stage, task_name) else None
        raise UserError(f"stage {stage} needs {' and '.join(missing)}", hint=hint)
    if task_name is None:
        raise UserError("is needed with input files", field="--task", hint="Name the task they belong to")
    return Inputs(task=get_task(task_name), files=files)


def _reads_itself(stage: str, task_name: str | None) -> bool:
    """Return whether the task reads the rows of a stage itself if a split is named."""
    return stage in ("gold", "test") and task_name is not None and bool(get_task(task_name).file)


def _embedded(stage: str) -> Inputs:
    """Return the embedded example's inputs of a stage."""
    task = get_task(EXAMPLE_TASK)
    example = task.example
    if example is None:
        raise UserError(f"the task {task.name} has no embedded example")
    files = {
        "gold": {"input": task.path(task.splits["train_1"].raw)},
        "test": {"input": task.path(task.splits["train_2"].raw)},
        "full-weak": {"input": example.weak},
        "1": {"weak": example.weak, "icl": example.icl},
    }
    return Inputs(
        task=task,
        files=files[stage],
        weak_name=example.weak_name,
        model=str(example.model),
        preset=example.preset,
        embedded=True,
        simulated=stage in ("full-weak", "1"),
    )
