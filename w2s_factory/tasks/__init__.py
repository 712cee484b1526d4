"""Benchmarks: their files, prompts and answers; built-in tasks and those of installed packages."""

from __future__ import annotations

from w2s_factory.tasks.base import Task
from w2s_factory.tasks.fields import Example, Split
from w2s_factory.tasks.published_task import PublishedTask
from w2s_factory.tasks.registry import BUILT_IN, GROUP, TASK_FILES, get_task, task_names

__all__ = [
    "BUILT_IN",
    "GROUP",
    "TASK_FILES",
    "Example",
    "PublishedTask",
    "Split",
    "Task",
    "get_task",
    "task_names",
]
