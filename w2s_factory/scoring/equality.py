"""Equality of answers as a task defines it: for pairs of a whole file, and as classes among samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from w2s_factory.answers.comparison import decide
from w2s_factory.errors import HookError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from w2s_factory.answers.limits import Verdict
    from w2s_factory.records import Result
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class Equality:
    """A task's `equal` on answers as `normalise` gives them; a missing answer equals nothing.

    Attributes:
        task: Says when an answer (first) equals another (second).
        verdicts: Those found beforehand, where finding them is slow.
    """

    task: Task
    verdicts: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)

    def __call__(self, pred: str, gold: str) -> bool:
        """Whether the first equals the second."""
        if not pred or not gold:
            return False
        return self.verdicts[pred, gold].result if self.task.slow_comparison else self.task.equal(pred, gold)

    @property
    def limits(self) -> int:
        """How many comparisons a limit of time or memory ended: their verdict is False."""
        return sum(verdict.limit is not None for verdict in self.verdicts.values())


def equality(task: Task, pairs: Iterable[tuple[str, str]]) -> Equality:
    """The equality of these pairs; where the task's is slow, their verdicts are found here, in workers.

    Args:
        task: Says when a normalised answer (first) equals another (second).
        pairs: All that will be asked for.
    """
    if not task.slow_comparison:
        return Equality(task)
    return Equality(task, decide((pair for pair in pairs if all(pair)), task.comparison()))


_AT_ONCE = 500
"""Questions whose answers are compared together, so that workers have enough to do."""


@dataclass
class Classes:
    """The classes of equal answers among the samples of each question.

    Attributes:
        task: Says which answers are equal; None for those with the same text, as published.
        limits: How many comparisons a limit of time or memory ended so far: such answers are not equal.
    """

    task: Task | None = None
    limits: int = 0

    def of(self, questions: Iterator[tuple[Result, ...]]) -> Iterator[tuple[tuple[Result, ...], list[str]]]:
        """Each question's samples, and for each of them the first answer of its class."""
        if self.task is None:
            yield from ((samples, [sample["pred"] for sample in samples]) for samples in questions)
            return
        while some := list(islice(questions, _AT_ONCE)):
            answers = [[sample["pred"] for sample in samples] for samples in some]
            try:
                firsts = self.firsts(answers)
            except HookError as error:
                asked = (
                    s[0]["id"]
                    for s, given in zip(some, answers, strict=True)
                    if {*error.arguments} <= {*given}
                )
                raise error.at(name=next(asked, None)) from error
            yield from zip(some, firsts, strict=True)

    def firsts(self, questions: Sequence[Sequence[str]]) -> list[list[str]]:
        """For each answer of each question the first of its class, in the order of the answers.

        An answer joins the first class whose first member, as gold, it equals; a task's equality need be
        neither symmetric nor transitive. Equal texts are one class, the empty ones too.
        """
        if self.task is None:
            return [list(answers) for answers in questions]
        how = self.task.comparison()
        found: list[dict[str, str]] = [{} for _ in questions]
        searches = [_search(answers, first) for answers, first in zip(questions, found, strict=True)]
        asked = {search: pair for search in searches if (pair := next(search, None))}
        while asked:  # a comparison of each question at a time, so that all workers have something to do
            verdicts = decide(asked.values(), how)
            self.limits += sum(verdict.limit is not None for verdict in verdicts.values())
            answered = ((search, _next(search, verdicts[pair].result)) for search, pair in asked.items())
            asked = {search: pair for search, pair in answered if pair is not None}
        return [[first[one] for one in answers] for answers, first in zip(questions, found, strict=True)]


def _search(answers: Sequence[str], first: dict[str, str]) -> Generator[tuple[str, str], bool, None]:
    """Asks for the verdicts it needs, one by one, and fills `first`."""
    for one in dict.fromkeys(answers):
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
