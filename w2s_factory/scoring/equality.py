"""Whether two answers are equal, as a task says, for the pairs that a whole file needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.scoring.answers import decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from w2s_factory.scoring.limits import Verdict
    from w2s_factory.scoring.scorable import Scorable


@dataclass(frozen=True)
class Equality:
    """A task's `equal` on answers as `normalise` gives them; a missing answer equals nothing.

    Attributes:
        task: Says when an answer (first) equals another (second).
        verdicts: Those found beforehand, where finding them is slow.
    """

    task: Scorable
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


def equality(task: Scorable, pairs: Iterable[tuple[str, str]]) -> Equality:
    """The equality of these pairs; where the task's is slow, their verdicts are found here, in workers.

    Args:
        task: Says when a normalised answer (first) equals another (second).
        pairs: All that will be asked for.
    """
    if not task.slow_comparison:
        return Equality(task)
    return Equality(task, decide((pair for pair in pairs if all(pair)), task.comparison()))
