"""The public functions of scoring, for a task or its name."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from w2s_factory.scoring import answers, disagreement, files
from w2s_factory.tasks.registry import get_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from w2s_factory.scoring.scorable import Scorable

P = ParamSpec("P")
T = TypeVar("T")


def _by_name(function: Callable[Concatenate[Scorable, P], T]) -> Callable[Concatenate[str | Scorable, P], T]:
    """The function, its task given or named."""

    @wraps(function)
    def named(task: str | Scorable, /, *arguments: P.args, **options: P.kwargs) -> T:
        return function(get_task(task) if isinstance(task, str) else task, *arguments, **options)

    return named


compare_modes = _by_name(disagreement.compare_modes)
score = _by_name(files.score)
score_response = _by_name(answers.score_response)
score_responses = _by_name(answers.score_responses)
