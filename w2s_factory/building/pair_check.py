"""Check of a pair file: which pairs hold a weak model's response, and on which side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.building.weak_answers import weak_texts
from w2s_factory.errors import UserError
from w2s_factory.folders import responses_in
from w2s_factory.records import read_pairs, rows_of

if TYPE_CHECKING:
    from w2s_factory.answers.thinking import Markers
    from w2s_factory.records import Id, RowsLike


@dataclass
class PairCheck:
    """The result of `check_pairs`.

    Attributes:
        pairs: The number of pairs.
        chosen: The number of pairs in which the weak response is chosen.
        rejected: The number of pairs in which the weak response is rejected.
        neither: The ids of the pairs that do not hold the weak response, one for each such pair.
        unknown: The ids of the pairs whose question the weak model did not answer.
        equal: The ids of the pairs whose two responses are the same text.
    """

    pairs: int = 0
    chosen: int = 0
    rejected: int = 0
    neither: list[Id] = field(default_factory=list)
    unknown: list[Id] = field(default_factory=list)
    equal: list[Id] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether each pair holds the weak response on exactly one side."""
        return not (self.neither or self.unknown or self.equal)


def check_pairs(pairs: RowsLike, weak: RowsLike, markers: Markers | None = None) -> PairCheck:
    """Check which pairs of a file hold the weak model's response, or its answer alone, by exact text.

    Args:
        pairs: The pair file, in either form.
        weak: The weak model's results or full weak data.
        markers: The markers of thinking in the weak model's responses; None for those by which they
            were scored.

    Raises:
        UserError: A file cannot be read, or there are no pairs.
    """
    pairs = rows_of(pairs, "pairs")
    responses = weak_texts(rows_of(weak, "weak", responses_in), markers)
    check = PairCheck()
    for pair in read_pairs(pairs):
        check.pairs += 1
        chosen, rejected = pair["output"]
        if pair["id"] not in responses:
            check.unknown.append(pair["id"])
            continue
        texts = responses[pair["id"]]
        if chosen == rejected:
            check.equal.append(pair["id"])
        elif chosen in texts:
            check.chosen += 1
        elif rejected in texts:
            check.rejected += 1
        else:
            check.neither.append(pair["id"])
    if not check.pairs:
        raise UserError("holds no preference pairs", file=pairs)
    return check
