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
    from w2s_factory.scoring.answers import Scored
    from w2s_factory.scoring.disagreement import ModeComparison
    from w2s_factory.scoring.evaluation import Evaluation, evaluate
    from w2s_factory.scoring.files import ScoreSummary
    from w2s_factory.scoring.majority import VoteSummary, majority, vote
    from w2s_factory.scoring.metrics import (
        paired_bootstrap,
        pass_at_k,
        performance_gap_recovered,
        wilson_interval,
    )
    from w2s_factory.tasks import Split, Task, get_task, task_names
    from w2s_factory.tasks.scored import compare_modes, score, score_response, score_responses

_HOMES = {
    "DelegateError": "errors",
    "Evaluation": "scoring.evaluation",
    "ModeComparison": "scoring.disagreement",
    "ScoreSummary": "scoring.files",
    "Scored": "scoring.answers",
    "Split": "tasks",
    "Task": "tasks",
    "UserError": "errors",
    "VoteSummary": "scoring.majority",
    "W2SError": "errors",
    "compare_modes": "tasks.scored",
    "evaluate": "scoring.evaluation",
    "get_task": "tasks",
    "majority": "scoring.majority",
    "paired_bootstrap": "scoring.metrics",
    "pass_at_k": "scoring.metrics",
    "performance_gap_recovered": "scoring.metrics",
    "score": "tasks.scored",
    "score_response": "tasks.scored",
    "score_responses": "tasks.scored",
    "task_names": "tasks",
    "vote": "scoring.majority",
    "wilson_interval": "scoring.metrics",
}

__all__ = [
    "DelegateError",
    "Evaluation",
    "ModeComparison",
    "ScoreSummary",
    "Scored",
    "Split",
    "Task",
    "UserError",
    "VoteSummary",
    "W2SError",
    "compare_modes",
    "evaluate",
    "get_task",
    "majority",
    "paired_bootstrap",
    "pass_at_k",
    "performance_gap_recovered",
    "score",
    "score_response",
    "score_responses",
    "task_names",
    "vote",
    "wilson_interval",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
