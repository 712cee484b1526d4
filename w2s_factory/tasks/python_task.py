"""The task that a Python file defines, as one subclass of `Task` or as an object `TASK`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import RAISED, UserError, W2SError, shown
from w2s_factory.records import ANY
from w2s_factory.tasks.base import Task

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

OBJECT: Final = "TASK"
"""The name under which a file may have its task."""


def read_python_task(path: Path) -> Task:
    """Return the task that a Python file defines. The file is run.

    A class without an object gets the name of the file, and rows of any columns. Its files are relative to
    the file's folder, unless it has a `root`.

    Raises:
        UserError: The file cannot be run, or defines no task or several; with the line where one is known.
    """
    module = _run(path)
    task = getattr(module, OBJECT, None)
    if task is None:
        task = _instance(_only_class(module, path), path)
    if not isinstance(task, Task):
        raise UserError(f"expected a Task, got {shown(task)}", file=path, field=OBJECT)
    if task.root is None:
        object.__setattr__(task, "root", path.absolute().parent)  # the class is frozen
    object.__setattr__(task, "file", path)
    return task


def _run(path: Path) -> ModuleType:
    """Return the file as a module, which is registered so that worker processes find its classes."""
    if not path.is_file():
        raise UserError("is a folder" if path.is_dir() else "no such file", file=path)
    unique = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(f"w2s_task_{unique}", path)
    if spec is None or spec.loader is None:
        raise UserError("is not a Python file", file=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UserError(f"is not Python ({error.msg})", file=path, line=error.lineno) from error
    except W2SError as error:
        problem = getattr(error, "problem", str(error))
        raise UserError(
            problem, file=path, line=_line(error, path), hint=getattr(error, "hint", None)
        ) from error
    except RAISED as error:  # the file may raise any error
        problem = f"raised {type(error).__name__}: {error}"
        raise UserError(problem, file=path, line=_line(error, path)) from error
    return module


def _line(error: BaseException, path: Path) -> int | None:
    """Return the last line of the file that an error passed; None if it passed none."""
    here = {str(path), str(path.absolute())}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in here]
    return frames[-1].lineno if frames else None


def _only_class(module: ModuleType, path: Path) -> type[Task]:
    """Return the one task class of a file: of those it defines, the one on which no other is based."""
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
    ]
    last = [
        cls for cls in dict.fromkeys(classes) if not any(o is not cls and issubclass(o, cls) for o in classes)
    ]
    if len(last) == 1:
        return last[0]
    found = ", ".join(cls.__name__ for cls in last) or "none"
    problem = f"expected one subclass of w2s_factory.Task, or an object {OBJECT}, got {found}"
    raise UserError(problem, file=path, hint="docs/tasks.md has an example")


def _instance(cls: type[Task], path: Path) -> Task:
    given: dict[str, Any] = {"name": path.stem, "raw_form": ANY}
    needed = [field.name for field in fields(cls) if field.default is field.default_factory is MISSING]
    try:
        return cls(**{name: given[name] for name in needed})
    except KeyError as error:
        problem = f"{cls.__name__} needs {error}, which has no default"
        raise UserError(problem, file=path, hint=f"Write {OBJECT} = {cls.__name__}(...)") from None
    except UserError as error:
        raise error.at(file=path) from error
    except RAISED as error:
        raise UserError(f"{cls.__name__}() raised {type(error).__name__}: {error}", file=path) from error
