"""Classes of equal answers among the samples of a question, and the samples that do not vote."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress, islice
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.comparison import decide
from w2s_factory.answers.thinking import parts_of
from w2s_factory.errors import HookError, UserError
from w2s_factory.scoring.rule import rule_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from w2s_factory.answers.thinking import Markers
    from w2s_factory.records import Result, RowSource
    from w2s_factory.scoring.noted_way import NotedWay
    from w2s_factory.scoring.rule import ScoringRule
    from w2s_factory.tasks import Task

_AT_ONCE = 500
"""Questions whose answers are compared together, so that all workers are busy."""


@dataclass
class AnswerClasses:
    """Classes of equal answers among the samples of each question.

    Attributes:
        task: The task that says which answers are equal; None if only the same text is, as published.
        rule: The rule by which answers are found again in the responses, and compared; None for the `pred`
            of the samples.
        markers: The markers of thinking, by which a sample without a `pred` is known not to vote; None for
            those recognised by default.
        scored: For each seed whether its samples have the verdicts of the rule; those of others are replaced.
        limits: The number of comparisons so far that a limit of time or memory ended; these answers count
            as unequal.
    """

    task: Task | None = None
    rule: ScoringRule | None = None
    markers: Markers | None = None
    scored: Sequence[bool] = ()
    limits: int = 0

    def classify(
        self, questions: Iterator[tuple[Result, ...]]
    ) -> Iterator[tuple[tuple[Result, ...], list[str | None]]]:
        """Yield each question's samples, and for each of them the first answer of its class.

        The answer is None for a sample that does not vote (`is_unanswered`).

        Raises:
            UserError: The task's comparison fails; names the question.
        """
        if self.task is None and self.rule is None:
            for samples in questions:
                unanswered = self._unanswered(samples)
                yield samples, _voting([sample["pred"] for sample in samples], unanswered)
            return
        while batch := list(islice(questions, _AT_ONCE)):
            asked, answers, silent = self._answers(batch)
            try:
                firsts = self.firsts(answers)
            except HookError as error:
                raise error.at(name=_question_of(error, asked, answers)) from error
            yield from zip(asked, map(_voting, firsts, silent), strict=True)

    def firsts(self, questions: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return for each answer of each question the first of its class, in the order of the answers.

        An answer joins the first class whose first member, as the reference, it equals: a task's equality
        need be neither symmetric nor transitive. Equal texts are one class, empty ones too.
        """
        if self.rule is not None:
            how = self.rule.comparison
        elif self.task is not None:
            how = self.task.comparison()
        else:
            return [list(answers) for answers in questions]
        found: list[dict[str, str]] = [{} for _ in questions]
        searches = [_search(answers, first) for answers, first in zip(questions, found, strict=True)]
        asked = {search: pair for search in searches if (pair := next(search, None))}
        while asked:  # one comparison of each question at a time, so that all workers are busy
            verdicts = decide(asked.values(), how)
            self.limits += sum(verdict.limit is not None for verdict in verdicts.values())
            answered = ((search, _next_pair(search, verdicts[pair].result)) for search, pair in asked.items())
            asked = {search: pair for search, pair in answered if pair is not None}
        return [[first[text] for text in answers] for answers, first in zip(questions, found, strict=True)]

    def _unanswered(self, samples: Sequence[Result]) -> list[bool]:
        return [is_unanswered(sample, self.markers) for sample in samples]

    def _answers(
        self, batch: list[tuple[Result, ...]]
    ) -> tuple[list[tuple[Result, ...]], list[list[str]], list[list[bool]]]:
        """Return the samples of some questions, their answers as compared, and whether each has none."""
        if self.rule is None:
            preds = [[sample["pred"] for sample in samples] for samples in batch]
            return batch, preds, [self._unanswered(samples) for samples in batch]
        rows = [row for samples in batch for row in samples]
        try:
            found = self.rule.find_in(rows)
        except UserError as error:
            raise error if error.row is None else _of_question(error, rows[error.row - 1]["id"]) from error
        texts = [self.rule.compared(each) for each in found]
        again: list[Result] = [{**row, "pred": each.pred} for row, each in zip(rows, found, strict=True)]
        rows = _judged(again, texts, [*self.scored] * len(batch), self.rule)
        unanswered = [not each.ended or "error" in row for row, each in zip(rows, found, strict=True)]
        size = len(batch[0])
        parts = [slice(start, start + size) for start in range(0, len(rows), size)]
        return (
            [tuple(rows[part]) for part in parts],
            [texts[part] for part in parts],
            [unanswered[part] for part in parts],
        )


def classes_as_scored(task: Task | None, files: Sequence[RowSource], way: NotedWay) -> AnswerClasses:
    """Return the classes of the answers in results, compared in the mode in which they were scored.

    Without a task, answers are compared as text. As published, the task itself says which are equal, whatever
    mode scored them.

    Args:
        task: The task that says which answers are equal; None if only the same text is.
        files: The results of each seed.
        way: The way in which all of them were scored.

    Raises:
        UserError: As `scoring_rule`.
    """
    if task is None or not way.compares_as_scored:
        return AnswerClasses(task, markers=way.markers)
    return AnswerClasses(task, rule_of(task, way), scored=[True] * len(files))


def is_unanswered(row: Mapping[str, Any], markers: Markers | None = None) -> bool:
    """Return whether a row has no answer because its request failed or its thinking did not end.

    Such a row never votes. A row whose `pred` is not empty has an answer, however it was found.
    """
    return not row["pred"] and ("error" in row or not parts_of(row, markers).closed)


def _judged(
    rows: list[Result], texts: Sequence[str], kept: Sequence[bool], rule: ScoringRule
) -> list[Result]:
    """Return samples with the rule's verdicts, where their gold is known and their own are not kept.

    Raises:
        UserError: A verdict needs the gold as written, and results have the normalised one alone.
    """
    golds = [row.get("gold", "") for row in rows]
    new = ["result" in row and not keep for row, keep in zip(rows, kept, strict=True)]
    if rule.comparison.as_written and any(new):
        raise UserError(
            f"results scored otherwise lack the gold as written, with which {rule.mode} compares",
            field="gold",
            hint=f"Score them so first: w2s-factory score --mode {rule.mode} --extract {rule.extraction.way}",
        )
    verdicts = decide(compress(zip(texts, golds, strict=True), new), rule.comparison)
    return [
        {**row, "result": verdicts[text, gold].result} if is_new else row
        for row, text, gold, is_new in zip(rows, texts, golds, new, strict=True)
    ]


def _voting(answers: Sequence[str], unanswered: Sequence[bool]) -> list[str | None]:
    """Return the answers of samples, with None for those that do not vote."""
    return [None if silent else answer for answer, silent in zip(answers, unanswered, strict=True)]


def _of_question(error: UserError, name: int | str) -> UserError:
    """Return an error with the id of its question instead of a row."""
    return UserError(f"id {name!r}: {error.problem}", field=error.field, hint=error.hint)


def _question_of(
    error: HookError, questions: Sequence[Sequence[Result]], answers: Sequence[Sequence[str]]
) -> int | str | None:
    """Return the id of the first question that has the answers whose comparison failed."""
    for samples, texts in zip(questions, answers, strict=True):
        if {*error.arguments} <= {*texts}:
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
