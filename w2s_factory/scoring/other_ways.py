"""Another way to find final answers, where the way used finds almost none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from w2s_factory.answers.extraction import AUTO, PUBLISHED, parse_extraction
from w2s_factory.answers.thinking import is_opened
from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from w2s_factory.scoring.rule import ScoringRule

_NEARLY_ALL = 0.9
"""The share of responses without a final answer from which on another way is tried."""

READ = 1000
"""The most responses in which another way is tried, as searching takes time."""


class OtherWay(NamedTuple):
    """A way that finds answers where the way used finds none.

    Attributes:
        way: The way, as `--extract` takes it.
        found: The number of final answers that it finds in the responses without one.
        of: The number of these responses that were read.
    """

    way: str
    found: int
    of: int


def other_way(rule: ScoringRule, read: Sequence[Mapping[str, Any]], unanswered: float) -> OtherWay | None:
    """Return the way that finds answers in most of the responses without one; None if none finds any.

    Args:
        rule: The rule by which final answers were searched.
        read: The first outputs without a final answer, of those that are not empty; at most `READ`.
        unanswered: The share of all outputs that have no final answer.

    Returns:
        The way, if nearly all responses are without a final answer and it finds one in half of those; else
        None.
    """
    if not read or unanswered < _NEARLY_ALL:
        return None
    ways = [AUTO, *([PUBLISHED] if rule.task.answer_key else [])]  # without a key it takes whole responses
    ways = [way for way in ways if way != rule.extraction.way or rule.any_format]
    counts = [OtherWay(way, _count(rule, way, read), len(read)) for way in ways]
    best = max(counts, key=lambda each: each.found, default=None)
    return best if best is not None and 2 * best.found >= len(read) else None


def _count(rule: ScoringRule, way: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """Return in how many responses a way finds a final answer."""
    other = replace(
        rule, extraction=parse_extraction(way), mode="published", any_format=False, answer_key=None
    )
    try:
        found = other.find([row["response"] for row in rows], [is_opened(row) for row in rows], workers=1)
    except UserError:  # a task's own method may not take every response
        return 0
    return sum(bool(each.pred) for each in found)
