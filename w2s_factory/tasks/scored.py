"""The public functions of scoring, for a task or its name."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from w2s_factory.scoring import answers, disagreement, evaluation, files, majority
from w2s_factory.tasks.registry import get_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from w2s_factory.scoring.evaluation import Evaluation, ResultsLike
    from w2s_factory.scoring.majority import VoteSummary
    from w2s_factory.scoring.scorable import Scorable
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks.base import Task

P = ParamSpec("P")
T = TypeVar("T")


def _by_name(function: Callable[Concatenate[Scorable, P], T]) -> Callable[Concatenate[str | Task, P], T]:
    """The function, its task given or named."""

    @wraps(function)
    def named(task: str | Task, /, *arguments: P.args, **options: P.kwargs) -> T:
        return function(get_task(task), *arguments, **options)

    return named


compare_modes = _by_name(disagreement.compare_modes)
score = _by_name(files.score)
score_response = _by_name(answers.score_response)
score_responses = _by_name(answers.score_responses)


@wraps(majority.vote)
def vote(
    folder: SamplesLike,
    output: str | Path | None = None,
    *,
    task: Task | str | None = None,
    force: bool = False,
) -> VoteSummary:
    """As `majority.vote`, the task given or named."""
    return majority.vote(folder, output, task=None if task is None else get_task(task), force=force)


@wraps(evaluation.evaluate)
def evaluate(results: ResultsLike, *, task: Task | str | None = None, **options: Any) -> Evaluation:
    """As `evaluation.evaluate`, the task given or named."""
    return evaluation.evaluate(results, task=None if task is None else get_task(task), **options)
