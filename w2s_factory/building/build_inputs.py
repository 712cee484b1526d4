"""What `build-data` works on: the files a user names, or else the embedded example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from w2s_factory.tasks import Task

EXAMPLE_TASK = "arithmetic"

NEEDED = {
    "gold": ("input",),
    "test": ("input",),
    "full-weak": ("input",),
    "1": ("weak", "icl"),
    "2": ("weak", "votes"),
}
"""The options that name the inputs of each stage."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What one `build-data` reads.

    Attributes:
        task: The task the files belong to.
        files: The files by option name (`input`; `weak` and `icl`; `weak` and `votes`).
        weak_name: The weak model in file names, where the example knows it.
        model: The model to train, where the example knows it.
        preset: The preset that trains it, where the example knows it.
        embedded: Whether this is the embedded example.
        experiment: The experiment whose files these are, where a run's folder named them.
        simulated: Whether the responses come from simulated solvers, as the embedded example's do.
    """

    task: Task
    files: Mapping[str, Path]
    weak_name: str | None = None
    model: str | None = None
    preset: str | None = None
    embedded: bool = False
    experiment: str | None = None
    simulated: bool = False


def inputs_of(stage: str, task_name: str | None, named: Mapping[str, Path | None]) -> Inputs:
    """The inputs of a stage: the named files, or the embedded example if none is named.

    Raises:
        UserError: Some inputs are named but not all, or one this stage does not read, or no task.
    """
    given = {option: path for option, path in named.items() if path is not None}
    needed = NEEDED[stage]
    for option in given.keys() - set(needed):
        raise UserError(f"stage {stage} has no use for it", field=f"--{option}")
    if not given and task_name in (None, EXAMPLE_TASK) and stage != "2":
        return _embedded(stage)
    missing = [option for option in needed if option not in given]
    if missing:
        raise UserError(f"stage {stage} needs {_options(missing)}")
    if task_name is None:
        raise UserError("say which task these files belong to", field="--task")
    return Inputs(task=get_task(task_name), files=given)


def _options(names: Iterable[str]) -> str:
    return " and ".join(f"--{name}" for name in names)


def _embedded(stage: str) -> Inputs:
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
