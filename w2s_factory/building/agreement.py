"""Agreement of weak and icl results: the questions kept by Stage I, and the accuracy where gold is known."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from w2s_factory.building.joining import JoinedResults, naming_questions
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.records import together
from w2s_factory.scoring.unused_markers import check_markers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.building.response_rule import Answer
    from w2s_factory.records import Result, RowSource
    from w2s_factory.tasks import Task


@dataclass
class Accuracy:
    """The number of right responses among those whose `result` is known.

    Attributes:
        right: The number of right ones.
        known: The number of those whose `result` is known.
    """

    right: int = 0
    known: int = 0

    def count(self, verdict: bool | None) -> None:
        """Count a response that is right, wrong, or (None) not known to be either."""
        self.known += verdict is not None
        self.right += verdict is True

    @property
    def share(self) -> float | None:
        """The accuracy, from 0 to 1; None if no gold is known."""
        return self.right / self.known if self.known else None


@dataclass
class Agreement:
    """Counts of Stage I.

    Attributes:
        questions: The number of questions asked.
        kept: The number of questions on which both sides agree.
        limits: The number of comparisons that a limit of time or memory ended; these answers do not agree.
        weak_kept: The accuracy of the weak side on the questions kept.
        icl_kept: The accuracy of the icl side on the questions kept.
        weak_dropped: The accuracy of the weak side on the other questions.
        icl_dropped: The accuracy of the icl side on the other questions.
        weak_unanswered: The number of weak responses without a final answer.
        icl_unanswered: The number of icl responses without a final answer.
    """

    questions: int = 0
    kept: int = 0
    limits: int = 0
    weak_kept: Accuracy = field(default_factory=Accuracy)
    icl_kept: Accuracy = field(default_factory=Accuracy)
    weak_dropped: Accuracy = field(default_factory=Accuracy)
    icl_dropped: Accuracy = field(default_factory=Accuracy)
    weak_unanswered: int = 0
    icl_unanswered: int = 0

    def count(self, weak: Result, icl: Result, *, kept: bool) -> None:
        """Count a question."""
        self.questions += 1
        self.kept += kept
        self.weak_unanswered += not weak.get("pred")
        self.icl_unanswered += not icl.get("pred")
        (self.weak_kept if kept else self.weak_dropped).count(weak.get("result"))
        (self.icl_kept if kept else self.icl_dropped).count(icl.get("result"))


@dataclass
class AgreeingQuestions:
    """The questions on which weak and icl results agree, and the others.

    Only their numbers are in memory: results are read again by `pairs`.

    Attributes:
        joined: The results of both sides.
        rules: How the responses of each side are read.
        agreement: The counts.
        kept: The numbers of the questions on which both sides agree, in weak order.
    """

    joined: JoinedResults
    rules: tuple[ResponseRule, ResponseRule]
    agreement: Agreement = field(default_factory=Agreement)
    kept: array[int] = field(default_factory=lambda: array("q"))
    _answers: dict[int, tuple[Answer, Answer]] = field(default_factory=dict)
    """The answers of the questions that have other ones than their results."""

    def add(self, pair: tuple[Result, Result], answers: tuple[Answer, Answer], *, kept: bool) -> None:
        """Add the next question, with the answers found in its results."""
        as_read = _as_read(pair, answers)
        if as_read != pair:
            self._answers[self.agreement.questions] = answers
        if kept:
            self.kept.append(self.agreement.questions)
        self.agreement.count(*as_read, kept=kept)

    def others(self) -> array[int]:
        """Return the numbers of the other questions of which both responses can be trained on.

        Raises:
            UserError: A file has changed since it was first read.
        """
        kept = bytearray(len(self.joined))
        for number in self.kept:
            kept[number] = True
        numbers = [number for number, agrees in enumerate(kept) if not agrees]
        pairs = zip(numbers, self.pairs(numbers), strict=True)
        return array("q", (number for number, pair in pairs if self._are_trainable(pair)))

    def _are_trainable(self, pair: tuple[Result, Result]) -> bool:
        return all(rule.is_trainable(row) for rule, row in zip(self.rules, pair, strict=True))

    def pairs(self, numbers: Sequence[int]) -> Iterator[tuple[Result, Result]]:
        """Yield the weak and the icl result on questions, with the answers found, by their numbers.

        Raises:
            UserError: A file has changed since it was first read.
        """
        for number, pair in zip(numbers, self.joined.pairs(numbers), strict=True):
            answers = self._answers.get(number)
            yield pair if answers is None else _as_read(pair, answers)


def agreeing(
    task: Task, weak: RowSource, icl: RowSource, response_rule: ResponseRule | None = None
) -> AgreeingQuestions:
    """Return the questions on which weak and icl results agree.

    Args:
        task: The task that says when two answers are equal.
        weak: The weak side's results.
        icl: The icl side's results on the same questions.
        response_rule: How responses are read; the published way if None.

    Raises:
        UserError: An id is in one file only or a duplicate, or is that of different questions.
    """
    response_rule = response_rule or ResponseRule()
    joined = JoinedResults(task, weak, icl, response_rule.form(task))
    sides = [(file, map(itemgetter(side), joined.pairs())) for side, file in enumerate((weak, icl))]
    check_markers(response_rule.markers, sides)
    found = AgreeingQuestions(joined, (response_rule.of(weak), response_rule.of(icl)))
    limited: set[tuple[str, str]] = set()
    for pairs in together(joined.pairs(), _characters):
        answers = _answers(task, pairs, (weak, icl), found)
        texts = [(its_answer.compared, answer.compared) for answer, its_answer in answers]
        with naming_questions(zip((row["id"] for row, _ in pairs), texts, strict=True), weak):
            same = found.rules[0].equality(task, texts)
            verdicts = [same(*pair) for pair in texts]
        limited |= same.limited
        for pair, both, kept in zip(pairs, answers, verdicts, strict=True):
            found.add(pair, both, kept=kept)
    found.agreement.limits = len(limited)
    return found


def _answers(
    task: Task,
    pairs: Sequence[tuple[Result, Result]],
    files: tuple[RowSource, RowSource],
    found: AgreeingQuestions,
) -> list[tuple[Answer, Answer]]:
    """Return the final answers of both sides on the next questions.

    Raises:
        UserError: As `ResponseRule.answers`.
    """
    sides = [
        rule.answers(task, list(map(itemgetter(side), pairs)), file, first=found.agreement.questions)
        for side, (rule, file) in enumerate(zip(found.rules, files, strict=True))
    ]
    return list(zip(*sides, strict=True))


def _characters(pair: tuple[Result, Result]) -> int:
    return sum(len(row["prompt"]) + len(row["response"]) for row in pair)


def _as_read(pair: tuple[Result, Result], answers: tuple[Answer, Answer]) -> tuple[Result, Result]:
    """Return results with the answers that were found; without a verdict if that is on another answer."""
    weak, icl = (_with_answer(row, answer) for row, answer in zip(pair, answers, strict=True))
    return weak, icl


def _with_answer(result: Result, answer: Answer) -> Result:
    if result.get("pred", answer.pred) == answer.pred:
        return result
    row = {**result, "pred": answer.pred}
    row.pop("result", None)
    return row  # type: ignore[return-value]  # a result whose verdict is not known
