"""Which sampling seed each response of a vote came from: the published majority file does not say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.records import Id, Vote

_FOLDER = re.compile(r"seed(\d+)")


class Seeds:
    """The seeds of a vote's samples, read again from `DIR/seed{n}/results.jsonl`.

    A vote holds its samples in the order of their seeds, so of several samples with one text the first in
    a pool is that of the lowest seed.

    Args:
        folder: The folder of the seeds' results.

    Attributes:
        files: Each seed's results.

    Raises:
        UserError: It holds no `seed{n}/results.jsonl`, or one can't be read.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._answers: dict[Id, list[tuple[int, str]]] = {}
        found = sorted(_seed_folders(self._folder))
        if not found:
            raise UserError("holds no seed0/results.jsonl, seed1/...", file=folder)
        self.files = [path for _, path in found]
        for seed, path in found:
            for row in read(path, OUTPUT):
                self._answers.setdefault(row["id"], []).append((seed, row["response"]))

    def of(self, vote: Vote, pool: str, place: int) -> int:
        """The seed of one response: of the `place`-th of `pos_responses` or `neg_responses`.

        Raises:
            UserError: The seeds' responses to the question are not those of the vote.
        """
        responses = [sample["response"] for sample in [*vote["pos_responses"], *vote["neg_responses"]]]
        sampled = self._answers.get(vote["id"], [])
        if sorted(responses) != sorted(response for _, response in sampled):
            raise UserError(
                f"holds other samples for the id {vote['id']!r} than the votes", file=self._folder
            )
        response = vote[pool][place]["response"]  # type: ignore[literal-required]
        same = [seed for seed, text in sampled if text == response]
        before = [sample["response"] for sample in vote[pool][:place]]  # type: ignore[literal-required]
        return same[before.count(response)]


def _seed_folders(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.glob("seed*/results.jsonl"):
        number = _FOLDER.fullmatch(path.parent.name)
        if number:
            yield int(number[1]), path
