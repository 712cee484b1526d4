"""Finding a task by its name, among the built-in tasks and those of other installed packages."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from w2s_factory.errors import RAISED, UserError, did_you_mean, shown
from w2s_factory.tasks.base import Task

if TYPE_CHECKING:
    from importlib import metadata

GROUP = "w2s_factory.tasks"
"""The entry-point group in which a package offers tasks: `NAME = "module:TASK"`, where TASK is a `Task`."""

PAGE = "docs/tasks.md"
"""The page on custom tasks."""

BUILT_IN = ("gsm8k", "math", "arithmetic", "olympic_arena")


def get_task(name: Task | str) -> Task:
    """Return the task of that name; a `Task` is returned as it is.

    Raises:
        UserError: There is no such task, a package's entry point is not a `Task`, or `name` is neither a
            task nor a name.
    """
    if isinstance(name, Task):
        return name
    if not isinstance(name, str):
        raise UserError(f"expected a task or its name, got {shown(name)}", field="task")
    if name in BUILT_IN:
        task: Task = importlib.import_module(f"w2s_factory.tasks.{name}").TASK
        return task
    for entry in _entries():
        if entry.name == name:
            return _loaded(entry)
    meant = did_you_mean(name, task_names()) or f"Known tasks: {', '.join(task_names())}."
    raise UserError(f'no task "{name}"', hint=f"{meant} {PAGE} says how to add a task of your own")


def task_names() -> list[str]:
    """Return the names of all tasks, the built-in ones first."""
    others = {entry.name for entry in _entries()} - set(BUILT_IN)
    return [*BUILT_IN, *sorted(others)]


def _entries() -> metadata.EntryPoints:
    """Return the entry points of tasks in installed packages."""
    from importlib import metadata  # noqa: PLC0415  it takes longer to import than a built-in task

    return metadata.entry_points(group=GROUP)


def _loaded(entry: metadata.EntryPoint) -> Task:
    try:
        task = entry.load()
    except RAISED as error:  # the module of another package may raise any error
        raise UserError(
            f'task "{entry.name}" cannot be loaded from {entry.value} ({type(error).__name__}: {error})'
        ) from error
    if not isinstance(task, Task):
        raise UserError(f'task "{entry.name}": {entry.value} is a {type(task).__name__}, not a Task')
    return task
