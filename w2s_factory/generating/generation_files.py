"""`Shard`, a part of the questions (`2/4`), and the paths of generated files by seed and shard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

from annotated_types import Ge, Le

from w2s_factory.errors import UserError
from w2s_factory.ranges import check, check_fields

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OUTPUT = "output.jsonl"
JOURNAL = "output.journal.jsonl"
SHARDS = "shards"

ItemT = TypeVar("ItemT")

_SHORT = re.compile(r"[0-9]{1,18}")
"""A whole number short enough that Python reads it quickly."""

Shards: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""A number of parts into which questions are divided, each a job of its own."""


@dataclass(frozen=True)
class Shard:
    """A contiguous part of the questions.

    Attributes:
        index: The number of the part, counted from 1.
        of: The number of all parts.
    """

    index: Shards
    of: Shards

    def __post_init__(self) -> None:
        check_fields(self)
        if self.index > self.of:
            raise UserError(f"expected i/n with i from 1 to n, got {self}", field="shard")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that a text names, such as `2/4` for the second of four.

        Raises:
            UserError: The text does not name a shard.
        """
        index, slash, of = text.partition("/")
        if slash and _SHORT.fullmatch(index) and _SHORT.fullmatch(of) and 1 <= int(index) <= int(of):
            check(int(of), Shards, "--shard")
            return cls(int(index), int(of))
        raise UserError(f'expected I/N with I from 1 to N, such as 2/4, got "{text}"', field="--shard")

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    def take(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """Return this shard's part of some items; the parts of all shards, in order, are all items."""
        return items[len(items) * (self.index - 1) // self.of : len(items) * self.index // self.of]


def seed_folder(root: Path, temperature: float, seed: int) -> Path:
    """Return the folder of responses: `root` for greedy ones, `t1.0/seed0` in it for sampled ones."""
    return root if temperature == 0 else root / f"t{float(temperature)}" / f"seed{seed}"


def journals(root: Path, temperature: float) -> list[Path]:
    """Return the journals of all parts of an output: greedy, or sampled, of all seeds; with their shards."""
    seeds = [root] if temperature == 0 else sorted(seed_folder(root, temperature, 0).parent.glob("seed*"))
    found = (
        file for seed in seeds for file in (seed / JOURNAL, *sorted((seed / SHARDS).glob(f"*/{JOURNAL}")))
    )
    return [file for file in found if file.is_file()]


def shard_folder(folder: Path, shard: Shard | None) -> Path:
    """Return the folder of a shard, `shards/2-of-4` in `folder`; `folder` itself if there is no shard."""
    return folder if shard is None else folder / SHARDS / f"{shard.index}-of-{shard.of}"
