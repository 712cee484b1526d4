"""Equality of answers as a task defines it: of pairs of answers, and as classes among samples."""

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

_AT_ONCE = 500
"""Questions whose answers are compared together, so that all workers are busy."""


@dataclass(frozen=True)
class Equality:
    """The equality of normalised answers that a task defines; a missing answer equals nothing.

    Attributes:
        task: The task whose `equal` decides.
        verdicts: The verdicts found beforehand, if the task's comparison is slow.
    """

    task: Task
    verdicts: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)

    def __call__(self, answer: str, reference: str) -> bool:
        """Return whether an answer equals the reference: a gold, or another model's answer."""
        if not answer or not reference:
            return False
        if self.task.slow_comparison:
            return self.verdicts[answer, reference].result
        return self.task.equal(answer, reference)

    @property
    def limits(self) -> int:
        """The number of comparisons that a limit of time or memory ended; these answers count as unequal."""
        return sum(verdict.limit is not None for verdict in self.verdicts.values())


def equality(task: Task, pairs: Iterable[tuple[str, str]]) -> Equality:
    """Return the equality of these pairs of answers.

    If the task's comparison is slow, the verdicts are found here, in worker processes.

    Args:
        task: The task whose `equal` decides.
        pairs: All pairs of answer and reference that the equality will be asked for, normalised.
    """
    if not task.slow_comparison:
        return Equality(task)
    return Equality(task, decide((pair for pair in pairs if all(pair)), task.comparison()))


@dataclass
class AnswerClasses:
    """Classes of equal answers among the samples of each question.

    Attributes:
        task: The task that says which answers are equal; None if only the same text is, as published.
        limits: The number of comparisons so far that a limit of time or memory ended; these answers count
            as unequal.
    """

    task: Task | None = None
    limits: int = 0

    def classify(
        self, questions: Iterator[tuple[Result, ...]]
    ) -> Iterator[tuple[tuple[Result, ...], list[str]]]:
        """Yield each question's samples, and for each of them the first answer of its class.

        Raises:
            UserError: The task's comparison fails; names the question.
        """
        if self.task is None:
            yield from ((samples, [sample["pred"] for sample in samples]) for samples in questions)
            return
        while batch := list(islice(questions, _AT_ONCE)):
            answers = [[sample["pred"] for sample in samples] for samples in batch]
            try:
                firsts = self.firsts(answers)
            except HookError as error:
                raise error.at(name=_question_of(error, batch)) from error
            yield from zip(batch, firsts, strict=True)

    def firsts(self, questions: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return for each answer of each question the first of its class, in the order of the answers.

        An answer joins the first class whose first member, as the reference, it equals: a task's equality
        need be neither symmetric nor transitive. Equal texts are one class, empty ones too.
        """
        if self.task is None:
            return [list(answers) for answers in questions]
        how = self.task.comparison()
        found: list[dict[str, str]] = [{} for _ in questions]
        searches = [_search(answers, first) for answers, first in zip(questions, found, strict=True)]
        asked = {search: pair for search in searches if (pair := next(search, None))}
        while asked:  # one comparison of each question at a time, so that all workers are busy
            verdicts = decide(asked.values(), how)
            self.limits += sum(verdict.limit is not None for verdict in verdicts.values())
            answered = ((search, _next_pair(search, verdicts[pair].result)) for search, pair in asked.items())
            asked = {search: pair for search, pair in answered if pair is not None}
        return [[first[text] for text in answers] for answers, first in zip(questions, found, strict=True)]


def _question_of(error: HookError, questions: Sequence[Sequence[Result]]) -> int | str | None:
    """Return the id of the first question that has the answers whose comparison failed."""
    for samples in questions:
        if {*error.arguments} <= {sample["pred"] for sample in samples}:
            return samples[0]["id"]
    return None


def _search(answers: Sequence[str], first: dict[str, str]) -> Generator[tuple[str, str], bool, None]:
    """Yield the pairs of answers to compare, be sent each verdict, and fill `first` with the classes."""
    for answer in dict.fromkeys(answers):
        first[answer] = answer
        for leader in dict.fromkeys(first.values()):
            if answer and leader and leader != answer and (yield answer, leader):
                first[answer] = leader
                break


def _next_pair(search: Generator[tuple[str, str], bool, None], verdict: bool) -> tuple[str, str] | None:
    """Return the next pair that a search needs compared; None when it has finished."""
    try:
        return search.send(verdict)
    except StopIteration:
        return None
