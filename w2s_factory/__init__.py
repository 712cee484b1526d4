"""Weak-to-strong reasoning on LLaMA-Factory.

A weak model's answers become training data for a strong one (Yang, Ma, Liu, "Weak-to-Strong
Reasoning", arXiv 2407.13647). What stands in `__all__` is the public API; each name is imported
when it is first used, so importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from w2s_factory.errors import DelegateError, UserError, W2SError
    from w2s_factory.tasks import Example, Split, Task, get_task, task_names

_HOMES = {
    "DelegateError": "errors",
    "Example": "tasks",
    "Split": "tasks",
    "Task": "tasks",
    "UserError": "errors",
    "W2SError": "errors",
    "get_task": "tasks",
    "task_names": "tasks",
}

__all__ = [
    "DelegateError",
    "Example",
    "Split",
    "Task",
    "UserError",
    "W2SError",
    "get_task",
    "task_names",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
