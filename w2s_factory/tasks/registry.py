"""Finding a task by its name or file: built-in, of another installed package, or in a file of your own."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import RAISED, UserError, did_you_mean, shown
from w2s_factory.tasks.base import Task

if TYPE_CHECKING:
    from importlib import metadata

GROUP = "w2s_factory.tasks"
"""The entry-point group in which a package offers tasks: `NAME = "module:TASK"`, where TASK is a `Task`."""

PAGE = "docs/tasks.md"
"""The page on custom tasks."""

BUILT_IN = ("gsm8k", "math", "arithmetic", "olympic_arena")


YAML: Final = (".yaml", ".yml")
TASK_FILES: Final = (*YAML, ".py")
"""The suffixes of files that define a task."""


def get_task(name: Task | str | os.PathLike[str]) -> Task:
    """Return the task of that name, or the one that a file defines; a `Task` is returned as it is.

    A name that ends in `.yaml`, `.yml` or `.py`, or holds a `/`, is the path of a file.

    Raises:
        UserError: There is no such task, a package's entry point is not a `Task`, a file does not define
            one, or `name` is neither a task nor a name.
    """
    if isinstance(name, Task):
        return name
    if isinstance(name, os.PathLike) or is_task_file(name):
        return _in_file(Path(name))
    if not isinstance(name, str):
        raise UserError(f"expected a task or its name, got {shown(name)}", field="task")
    if name in BUILT_IN:
        task: Task = importlib.import_module(f"w2s_factory.tasks.{name}").TASK
        return task
    for entry in _entries():
        if entry.name == name:
            return _loaded(entry)
    own = next((f"./{name}{suffix}" for suffix in TASK_FILES if Path(name + suffix).is_file()), None)
    if own is not None:
        raise UserError(f'no task "{name}"', hint=f'Did you mean "{own}"?')
    meant = did_you_mean(name, task_names()) or f"Known tasks: {', '.join(task_names())}."
    raise UserError(f'no task "{name}"', hint=f"{meant} {PAGE} says how to add a task of your own")


def is_task_file(name: object) -> bool:
    """Return whether a task is named by the path of a file."""
    return isinstance(name, str) and (Path(name).suffix in TASK_FILES or "/" in name or os.sep in name)


def _in_file(path: Path) -> Task:
    """Return the task that a file defines, under a name of its own: a built-in one has published results.

    Raises:
        UserError: The file does not define a task, or its task has the name of a built-in one.
    """
    if path.suffix == ".py":
        from w2s_factory.tasks.python_task import read_python_task  # noqa: PLC0415  most tasks have a name

        task = read_python_task(path)
    elif path.suffix in YAML:
        from w2s_factory.tasks.file_task import read_file_task  # noqa: PLC0415  likewise

        task = read_file_task(path)
    else:
        raise UserError("expected a task file that ends in .yaml or .py", file=path, hint=f"See {PAGE}")
    if task.name in BUILT_IN:
        problem = f'the name "{task.name}" is that of a task of the package'
        raise UserError(problem, file=path, field="name", hint="Give it another name")
    return task


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
