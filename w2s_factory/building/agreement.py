"""On which questions weak and icl results agree, and how right they are where gold is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.building.joining import (
    SAME_SPLIT,
    asks_the_same,
    final_answer,
    naming_questions,
    refuse_empty,
    rows_by_id,
)
from w2s_factory.records import read_placed
from w2s_factory.scoring.equality import equality

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.records import Id, Place, Result, RowSource
    from w2s_factory.tasks import Task


@dataclass
class Accuracy:
    """How many of some responses are right, among those whose `result` is known."""

    right: int = 0
    known: int = 0

    def count(self, verdict: bool | None) -> None:
        """Take one response into account: right, wrong, or (None) not known."""
        self.known += verdict is not None
        self.right += verdict is True

    @property
    def share(self) -> float | None:
        """The accuracy, 0 to 1; None where no gold is known."""
        return self.right / self.known if self.known else None


@dataclass
class Agreement:
    """Counts of Stage I: questions asked and kept, and the accuracy of either side in both parts.

    `limits` are comparisons that a limit of time or memory ended; such answers do not agree.
    """

    questions: int = 0
    kept: int = 0
    limits: int = 0
    weak_kept: Accuracy = field(default_factory=Accuracy)
    icl_kept: Accuracy = field(default_factory=Accuracy)
    weak_dropped: Accuracy = field(default_factory=Accuracy)
    icl_dropped: Accuracy = field(default_factory=Accuracy)

    def count(self, weak: Result, icl: Result, *, kept: bool) -> None:
        """Take one question into account."""
        self.questions += 1
        self.kept += kept
        (self.weak_kept if kept else self.weak_dropped).count(weak.get("result"))
        (self.icl_kept if kept else self.icl_dropped).count(icl.get("result"))


def agreeing(
    task: Task,
    weak: RowSource,
    icl: RowSource,
    agreement: Agreement,
    others: list[tuple[Result, Result]] | None = None,
) -> Iterator[tuple[Result, Result]]:
    """The pairs of responses that agree, in the order of the weak results; counts go to `agreement`.

    Those that do not agree go to `others`, where that is given.

    Raises:
        UserError: An id stands in one file only or twice in one, or names different questions.
    """
    joined = list(_joined(task, weak, icl))
    answers = {
        row["id"]: (final_answer(task, other, icl), final_answer(task, row, weak)) for row, other in joined
    }
    with naming_questions(answers.items(), weak):
        same = equality(task, answers.values())
        agreement.limits = same.limits
        verdicts = [same(*pair) for pair in answers.values()]
    for (row, other), kept in zip(joined, verdicts, strict=True):
        agreement.count(row, other, kept=kept)
        if kept:
            yield row, other
        elif others is not None:
            others.append((row, other))


def _joined(task: Task, weak: RowSource, icl: RowSource) -> Iterator[tuple[Result, Result]]:
    """Both responses to each question, in the order of the weak results; refuses what does not belong."""
    unmet: dict[Id, tuple[Place, Result]] = rows_by_id(icl, task.results_form)
    refuse_empty(weak, task.results_form)
    seen: set[Id] = set()
    results: Iterator[tuple[Place, Result]] = read_placed(weak, task.results_form)
    for place, row in results:
        if row["id"] in seen:
            raise place.error(f"duplicate id {row['id']!r}", field="id")
        if row["id"] not in unmet:
            raise place.error(f"the id {row['id']!r} is not in {icl}", field="id", hint=SAME_SPLIT)
        seen.add(row["id"])
        other_place, other = unmet.pop(row["id"])
        _check_pair(row, other, other_place, weak)
        yield row, other
    for name, (place, _) in unmet.items():
        raise place.error(f"the id {name!r} is not in {weak}", field="id", hint=SAME_SPLIT)


def _check_pair(weak: Result, icl: Result, place: Place, weak_file: RowSource) -> None:
    """One id must mean one question with one gold, and the weak side's prompt is the zero-shot one."""
    name = weak["id"]
    if not asks_the_same(weak["prompt"], icl["prompt"]):
        swapped = asks_the_same(icl["prompt"], weak["prompt"])
        raise place.error(
            f"the id {name!r} has a shorter prompt here than in {weak_file}"
            if swapped
            else f"the id {name!r} names another question in {weak_file}",
            field="prompt",
            hint="The weak side is asked zero-shot: are --weak and --icl swapped?" if swapped else SAME_SPLIT,
        )
    golds = weak.get("gold"), icl.get("gold")
    if None not in golds and golds[0] != golds[1]:
        raise place.error(f"the id {name!r} has another gold in {weak_file}", field="gold", hint=SAME_SPLIT)
