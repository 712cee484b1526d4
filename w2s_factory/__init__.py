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
    from w2s_factory.generating import (
        Completion,
        Generation,
        Model,
        Request,
        Sampling,
        Shard,
        generate,
        merge_shards,
        named_demonstrations,
        pick_demonstrations,
        preview,
    )
    from w2s_factory.tasks import Example, Split, Task, get_task, task_names

_HOMES = {
    "Completion": "generating",
    "DelegateError": "errors",
    "Example": "tasks",
    "Generation": "generating",
    "Model": "generating",
    "Request": "generating",
    "Sampling": "generating",
    "Shard": "generating",
    "Split": "tasks",
    "Task": "tasks",
    "UserError": "errors",
    "W2SError": "errors",
    "generate": "generating",
    "get_task": "tasks",
    "merge_shards": "generating",
    "named_demonstrations": "generating",
    "pick_demonstrations": "generating",
    "preview": "generating",
    "task_names": "tasks",
}

__all__ = [
    "Completion",
    "DelegateError",
    "Example",
    "Generation",
    "Model",
    "Request",
    "Sampling",
    "Shard",
    "Split",
    "Task",
    "UserError",
    "W2SError",
    "generate",
    "get_task",
    "merge_shards",
    "named_demonstrations",
    "pick_demonstrations",
    "preview",
    "task_names",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
