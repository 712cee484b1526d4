"""The public functions of scoring, for a task or its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

from w2s_factory.quantities import TIMEOUT, Samples, Timeout, Workers
from w2s_factory.scoring import answers as answering
from w2s_factory.scoring import disagreement, evaluation, files, majority
from w2s_factory.tasks.registry import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from w2s_factory.ranges import Share
    from w2s_factory.records import RowsLike
    from w2s_factory.scoring.answers import Scored
    from w2s_factory.scoring.disagreement import ModeComparison
    from w2s_factory.scoring.evaluation import Evaluation, ResultsLike
    from w2s_factory.scoring.files import ScoreSummary
    from w2s_factory.scoring.majority import VoteSummary
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks.base import Task

P = ParamSpec("P")
T = TypeVar("T")


def _documented(by: Callable[..., object]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that gives a function the docstring of another, and leaves its signature."""

    def documented(function: Callable[P, T]) -> Callable[P, T]:
        function.__doc__ = by.__doc__
        return function

    return documented


@_documented(disagreement.compare_modes)
def compare_modes(
    task: Task | str,
    golds: RowsLike,
    responses: RowsLike,
    modes: Sequence[str],
    *,
    answer_key: str | None = None,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
    partial: bool = False,
) -> ModeComparison:
    """Call `disagreement.compare_modes`; the task may be named."""
    return disagreement.compare_modes(
        get_task(task),
        golds,
        responses,
        modes,
        answer_key=answer_key,
        timeout=timeout,
        workers=workers,
        partial=partial,
    )


@_documented(files.score)
def score(  # noqa: PLR0913  each is an option of the command
    task: Task | str,
    golds: RowsLike | None,
    responses: RowsLike,
    output: str | Path | None = None,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
    partial: bool = False,
    force: bool = False,
) -> ScoreSummary:
    """Call `files.score`; the task may be named."""
    return files.score(
        get_task(task),
        golds,
        responses,
        output,
        mode,
        answer_key=answer_key,
        any_format=any_format,
        timeout=timeout,
        workers=workers,
        partial=partial,
        force=force,
    )


@_documented(answering.score_response)
def score_response(
    task: Task | str,
    response: str,
    answer: str,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: Timeout = TIMEOUT,
) -> Scored:
    """Call `answers.score_response`; the task may be named."""
    return answering.score_response(
        get_task(task),
        response,
        answer,
        mode,
        answer_key=answer_key,
        any_format=any_format,
        timeout=timeout,
    )


@_documented(answering.score_responses)
def score_responses(
    task: Task | str,
    responses: Iterable[str],
    answers: Iterable[str] | None,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
) -> list[Scored]:
    """Call `answers.score_responses`; the task may be named."""
    return answering.score_responses(
        get_task(task),
        responses,
        answers,
        mode,
        answer_key=answer_key,
        any_format=any_format,
        timeout=timeout,
        workers=workers,
    )


@_documented(majority.vote)
def vote(
    folder: SamplesLike,
    output: str | Path | None = None,
    *,
    task: Task | str | None = None,
    force: bool = False,
) -> VoteSummary:
    """Call `majority.vote`; the task may be named."""
    return majority.vote(folder, output, task=None if task is None else get_task(task), force=force)


@_documented(evaluation.evaluate)
def evaluate(
    results: ResultsLike,
    *,
    pass_at: Samples | None = None,
    golds: RowsLike | None = None,
    by: Sequence[str] = (),
    floor: RowsLike | Share | None = None,
    ceiling: RowsLike | Share | None = None,
    beside_paper: tuple[str, str] | None = None,
    task: Task | str | None = None,
) -> Evaluation:
    """Call `evaluation.evaluate`; the task may be named."""
    return evaluation.evaluate(
        results,
        pass_at=pass_at,
        golds=golds,
        by=by,
        floor=floor,
        ceiling=ceiling,
        beside_paper=beside_paper,
        task=None if task is None else get_task(task),
    )
