"""Equality of answers as a task defines it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.answers.comparison import decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from w2s_factory.answers.limits import Verdict
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class Equality:
    """The equality of normalised answers that a task defines; a missing answer equals nothing.

    Attributes:
        task: The task whose `equal` decides.
        verdicts: The verdicts found beforehand, if the task's comparison is slow or another mode compares.
        decided: Whether the verdicts decide in any case.
    """

    task: Task
    verdicts: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)
    decided: bool = False

    def __call__(self, answer: str, reference: str) -> bool:
        """Return whether an answer equals the reference: a gold, or another model's answer."""
        if not answer or not reference:
            return False
        if self.decided or self.task.slow_comparison:
            return self.verdicts[answer, reference].result
        return self.task.equal(answer, reference)

    @property
    def limited(self) -> set[tuple[str, str]]:
        """The pairs whose comparison a limit of time or memory ended; these answers count as unequal."""
        return {pair for pair, verdict in self.verdicts.items() if verdict.limit is not None}


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
