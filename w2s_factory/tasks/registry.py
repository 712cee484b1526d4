"""Finding a task by name: our own, then the entry-point group of other installed packages."""

from __future__ import annotations

import difflib
import importlib
from importlib import metadata

from w2s_factory.errors import UserError
from w2s_factory.tasks.base import Task

GROUP = "w2s_factory.tasks"
"""The entry-point group in which a package offers tasks: `NAME = "module:TASK"`, a `Task` instance."""

BUILT_IN = ("gsm8k", "math", "arithmetic")


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        UserError: There is none, or a package's entry point does not give a `Task`.
    """
    if name in BUILT_IN:
        task: Task = importlib.import_module(f"w2s_factory.tasks.{name}").TASK
        return task
    for entry in metadata.entry_points(group=GROUP, name=name):
        return _loaded(entry)
    near = difflib.get_close_matches(name, task_names(), 1)
    meant = f'Did you mean "{near[0]}"?' if near else f"Known tasks: {', '.join(task_names())}"
    raise UserError(f'no task "{name}"', hint=meant)


def task_names() -> list[str]:
    """The names of all tasks: the built-in ones first."""
    others = {entry.name for entry in metadata.entry_points(group=GROUP)} - set(BUILT_IN)
    return [*BUILT_IN, *sorted(others)]


def _loaded(entry: metadata.EntryPoint) -> Task:
    try:
        task = entry.load()
    except Exception as error:  # somebody else's module may raise anything
        raise UserError(
            f'task "{entry.name}" cannot be loaded from {entry.value} ({type(error).__name__}: {error})'
        ) from error
    if not isinstance(task, Task):
        raise UserError(f'task "{entry.name}": {entry.value} is a {type(task).__name__}, not a Task')
    return task
