"""Which sampling seed each response of a vote came from: the published majority file does not say."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.folders import samples_in
from w2s_factory.records import OUTPUT, read
from w2s_factory.scoring.seeds import seed_sources

if TYPE_CHECKING:
    from w2s_factory.records import Id, RowSource, Vote
    from w2s_factory.scoring.seeds import SamplesLike

_FOLDER = re.compile(r"seed(\d+)")


class Seeds:
    """The seeds of a vote's samples, read again from the results of each seed (`DIR/seed{n}/results.jsonl`).

    A vote holds its samples in the order of their seeds, so of several samples with one text the first in
    a pool is that of the lowest seed.

    Args:
        samples: The folder of the seeds' results; or the results of each seed, as `vote` takes them.

    Attributes:
        files: Each seed's results.

    Raises:
        UserError: It holds no `seed{n}/results.jsonl`, or one can't be read.
    """

    def __init__(self, samples: SamplesLike) -> None:
        self._name: object = samples if isinstance(samples, (str, os.PathLike)) else "samples"
        self._answers: dict[Id, list[tuple[int, str]]] = {}
        found = (
            _in_folder(samples_in(Path(samples)))
            if isinstance(samples, (str, os.PathLike))
            else seed_sources(samples)
        )
        self.files = list(found.values())
        for seed, source in found.items():
            for row in read(source, OUTPUT):
                self._answers.setdefault(row["id"], []).append((seed, row["response"]))

    def of(self, vote: Vote, pool: str, place: int) -> int:
        """The seed of one response: of the `place`-th of `pos_responses` or `neg_responses`.

        Raises:
            UserError: The seeds' responses to the question are not those of the vote.
        """
        responses = [sample["response"] for sample in [*vote["pos_responses"], *vote["neg_responses"]]]
        sampled = self._answers.get(vote["id"], [])
        if sorted(responses) != sorted(response for _, response in sampled):
            raise UserError(f"holds other samples for the id {vote['id']!r} than the votes", file=self._name)
        response = vote[pool][place]["response"]  # type: ignore[literal-required]
        same = [seed for seed, text in sampled if text == response]
        before = [sample["response"] for sample in vote[pool][:place]]  # type: ignore[literal-required]
        return same[before.count(response)]


def _in_folder(folder: Path) -> dict[int, RowSource]:
    """Return the results below a folder by seed, in the order of the seeds."""
    numbers = ((_FOLDER.fullmatch(path.parent.name), path) for path in folder.glob("seed*/results.jsonl"))
    found = sorted((int(number[1]), path) for number, path in numbers if number)
    if not found:
        raise UserError("holds no seed0/results.jsonl, seed1/...", file=folder)
    return dict(found)
