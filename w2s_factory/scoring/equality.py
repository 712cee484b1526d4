"""Whether two answers are equal, as a task says, for the pairs that a whole file needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.scoring.answers import decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from w2s_factory.scoring.scorable import Scorable


def equality(task: Scorable, pairs: Iterable[tuple[str, str]]) -> Callable[[str, str], bool]:
    """The task's `equal` on these pairs; where it is slow, their verdicts are found here, in workers.

    Args:
        task: Says when a normalised answer (first) equals another (second).
        pairs: All that will be asked for.
    """
    if not task.slow_comparison:
        return task.equal
    verdicts = decide((pair for pair in pairs if all(pair)), task.comparison())

    def same(pred: str, gold: str) -> bool:
        return bool(pred) and bool(gold) and verdicts[pred, gold].result

    return same
