"""Agreement of weak and icl results: the questions kept by Stage I, and the accuracy where gold is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.building.joining import joined_results, naming_questions
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.scoring.unused_markers import check_markers

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def agreeing(
    task: Task,
    weak: RowSource,
    icl: RowSource,
    agreement: Agreement,
    others: list[tuple[Result, Result]] | None = None,
    response_rule: ResponseRule | None = None,
) -> Iterator[tuple[Result, Result]]:
    """Yield the weak and the icl result on each question on which they agree, in weak order.

    Args:
        task: The task that says when two answers are equal.
        weak: The weak side's results.
        icl: The icl side's results on the same questions.
        agreement: The counts, which are added to.
        others: A list that gets the results that do not agree and can be trained on; None if they are not
            needed.
        response_rule: How responses are read; the published way if None.

    Raises:
        UserError: An id is in one file only or a duplicate, or is that of different questions.
    """
    response_rule = response_rule or ResponseRule()
    joined = list(joined_results(task, weak, icl, response_rule.form(task)))
    sides = list(zip(*joined, strict=True))
    check_markers(response_rule.markers, list(zip((weak, icl), sides, strict=False)))
    response_rules = [response_rule.of(file) for file in (weak, icl)]
    found = [
        each.answers(task, side, file)
        for each, side, file in zip(response_rules, sides, (weak, icl), strict=True)
    ]
    joined = [
        (_as_read(row, answer), _as_read(other, its_answer))
        for (row, other), answer, its_answer in zip(joined, *found, strict=True)
    ]
    answers = {
        row["id"]: (its_answer.compared, answer.compared)
        for (row, _), answer, its_answer in zip(joined, *found, strict=True)
    }
    with naming_questions(answers.items(), weak):
        same = response_rules[0].equality(task, answers.values())
        agreement.limits = same.limits
        verdicts = [same(*pair) for pair in answers.values()]
    for (row, other), kept in zip(joined, verdicts, strict=True):
        agreement.count(row, other, kept=kept)
        if kept:
            yield row, other
        elif (
            others is not None
            and response_rules[0].is_trainable(row)
            and response_rules[1].is_trainable(other)
        ):
            others.append((row, other))


def _as_read(result: Result, answer: Answer) -> Result:
    """Return a result with the answer that was found; without its verdict if that is on another answer."""
    if result.get("pred", answer.pred) == answer.pred:
        return result
    row = {**result, "pred": answer.pred}
    row.pop("result", None)
    return row  # type: ignore[return-value]  # a result whose verdict is not known
