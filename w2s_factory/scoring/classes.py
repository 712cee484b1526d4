"""Which of a question's answers are equal, where equal answers need not have equal text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.scoring.answers import decide

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from w2s_factory.scoring.scorable import Scorable


def classes(task: Scorable, questions: Sequence[Sequence[str]]) -> list[list[str]]:
    """For each prediction of each question the first of its class, in the order of the predictions.

    A prediction joins the first class whose first member, as gold, it equals; a task's equality need be
    neither symmetric nor transitive. Equal texts are one class, the empty ones too.

    Args:
        task: Says when two answers are equal.
        questions: The normalised predictions of each, in the order of their seeds.
    """
    how = task.comparison()
    firsts: list[dict[str, str]] = [{} for _ in questions]
    searches = [_search(predictions, first) for predictions, first in zip(questions, firsts, strict=True)]
    asked = {search: pair for search in searches if (pair := next(search, None))}
    while asked:  # a comparison of each question at a time, so that all workers have something to do
        verdicts = decide(asked.values(), how)
        asked = {
            search: new for search, pair in asked.items() if (new := _next(search, verdicts[pair].result))
        }
    return [[first[one] for one in predictions] for predictions, first in zip(questions, firsts, strict=True)]


def _search(predictions: Sequence[str], first: dict[str, str]) -> Generator[tuple[str, str], bool, None]:
    """Asks for the verdicts it needs, one by one, and fills `first`."""
    for one in dict.fromkeys(predictions):
        first[one] = one
        for leader in dict.fromkeys(first.values()):
            if one and leader and leader != one and (yield one, leader):
                first[one] = leader
                break


def _next(search: Generator[tuple[str, str], bool, None], verdict: bool) -> tuple[str, str] | None:
    try:
        return search.send(verdict)
    except StopIteration:
        return None
