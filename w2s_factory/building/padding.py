"""Padding Stage I with questions on which weak and icl disagree, as the release's MATH sets are padded."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from w2s_factory.errors import UserError
from w2s_factory.quantities import SEED, PaddedSize
from w2s_factory.ranges import Seed, check_fields

if TYPE_CHECKING:
    from collections.abc import Sequence


ItemT = TypeVar("ItemT")

PADDED_KEYS = ("gold", "pred", "result")
"""What every row of a padded set carries besides, in the published order, where its results have it."""


@dataclass(frozen=True, kw_only=True)
class Padding:
    """How a Stage I set is padded. Which questions pad the published sets is not reproducible.

    Attributes:
        to: Questions a side shall have.
        seed: Of the draw of those added.
    """

    to: PaddedSize
    seed: Seed = SEED

    def __post_init__(self) -> None:
        check_fields(self)

    def drawn(self, kept: int, others: Sequence[ItemT]) -> list[ItemT]:
        """The questions added to `kept` ones, in drawn order.

        Raises:
            UserError: More are kept already, or there are not enough others.
        """
        missing = self.to - kept
        if missing < 0:
            raise UserError(f"{kept} questions are kept, more than {self.to}", field="--pad-to")
        if missing > len(others):
            raise UserError(
                f"{kept} questions are kept and {len(others)} are not: too few for {self.to}",
                field="--pad-to",
            )
        return random.Random(self.seed).sample(others, missing)
