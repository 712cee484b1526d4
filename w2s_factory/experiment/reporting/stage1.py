"""Stage I as it went: how many questions agree, how right the kept and the dropped answers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.building import Accuracy, Agreement
from w2s_factory.building.agreement import agreeing
from w2s_factory.records import SFT, read
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from w2s_factory.experiment.contents import Agreed
    from w2s_factory.experiment.reporting.runs import Run


@dataclass(frozen=True)
class Iteration:
    """One iteration of Stage I for one seed.

    Attributes:
        seed, iteration: Which.
        agreement: Its counts.
        rows: Rows of the hybrid set, two for each kept question; None where it is not there.
    """

    seed: int
    iteration: int
    agreement: Agreement
    rows: int | None

    @property
    def weak(self) -> Accuracy:
        """All answers of the weak side."""
        return _together(self.agreement.weak_kept, self.agreement.weak_dropped)

    @property
    def icl(self) -> Accuracy:
        """All answers of the icl side."""
        return _together(self.agreement.icl_kept, self.agreement.icl_dropped)

    @property
    def as_agreed(self) -> bool:
        """Whether the hybrid set holds the kept questions and nothing else (padded ones hold more)."""
        return self.rows is None or self.rows == 2 * self.agreement.kept


def iterations(run: Run) -> list[Iteration]:
    """The iterations whose results are there, by iteration and seed.

    Raises:
        UserError: The results do not belong together.
    """
    there = [one for one in run.contents.stage1 if run.has(one.weak, one.icl)]
    return [_iteration(run, one) for one in sorted(there, key=lambda one: (one.iteration, one.seed))]


def _iteration(run: Run, agreed: Agreed) -> Iteration:
    agreement = Agreement()
    for _ in agreeing(get_task(run.contents.task), run.at(agreed.weak), run.at(agreed.icl), agreement):
        pass  # the counts are what is wanted
    rows = sum(1 for _ in read(run.at(agreed.hybrid), SFT)) if run.has(agreed.hybrid) else None
    return Iteration(agreed.seed, agreed.iteration, agreement, rows)


def _together(one: Accuracy, other: Accuracy) -> Accuracy:
    return Accuracy(one.right + other.right, one.known + other.known)
