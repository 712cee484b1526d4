"""Whose responses a pair file holds: on which side a weak model's stand, and in how many pairs nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.building.joining import weak_texts
from w2s_factory.errors import UserError
from w2s_factory.folders import responses_in
from w2s_factory.records import read_pairs, rows_of

if TYPE_CHECKING:
    from w2s_factory.records import Id, RowsLike


@dataclass
class PairCheck:
    """How the pairs of a file relate to a weak model's responses.

    Attributes:
        pairs: How many there are.
        chosen: In how many the weak response is the chosen one.
        rejected: In how many it is the rejected one.
        neither: Ids of the pairs without it, one for each such pair.
        unknown: Ids of the pairs whose question the weak model did not answer.
        equal: Ids of pairs whose two responses are the same text.
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


def check_pairs(pairs: RowsLike, weak: RowsLike) -> PairCheck:
    """Look for the weak model's responses in a pair file, in either form, by exact text.

    Args:
        pairs: Somebody's pair file.
        weak: The weak model's results or full weak data.

    Raises:
        UserError: A file can't be read as what it should be, or holds no pairs.
    """
    pairs = rows_of(pairs, "pairs")
    responses = weak_texts(rows_of(weak, "weak", responses_in))
    check = PairCheck()
    for pair in read_pairs(pairs):
        check.pairs += 1
        chosen, rejected = pair["output"]
        if pair["id"] not in responses:
            check.unknown.append(pair["id"])
            continue
        text = responses[pair["id"]]
        if chosen == rejected:
            check.equal.append(pair["id"])
        elif text == chosen:
            check.chosen += 1
        elif text == rejected:
            check.rejected += 1
        else:
            check.neither.append(pair["id"])
    if not check.pairs:
        raise UserError("holds no preference pairs", file=pairs)
    return check
