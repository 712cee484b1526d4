"""How transformers chooses tokens and when a row of its batch is done, each row for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import LogitsProcessor, StoppingCriteria

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.generating.engines.tokens import Tokens
    from w2s_factory.generating.requests import Finish, Sampling


class SeededDraws(LogitsProcessor):
    """Turns the greedy choice into a draw: each row has its own generator, so neighbours don't matter.

    The largest of probability / exponential noise falls on each token with that token's probability
    (the Gumbel-max trick).

    Args:
        seeds: One a row.
        sampling: Temperature (above 0) and top_p.
    """

    def __init__(self, seeds: Sequence[int], sampling: Sampling) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._sampling = sampling

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002  transformers passes both
        """Scores whose largest is the drawn token."""
        chances = torch.softmax(scores.float() / self._sampling.temperature, dim=-1)
        if self._sampling.top_p < 1:
            chances = _nucleus(chances, self._sampling.top_p)
        noise = torch.stack(
            [
                torch.empty(scores.shape[-1]).exponential_(generator=generator)
                for generator in self._generators
            ]
        )
        return chances / noise.to(chances.device)


def _nucleus(chances: torch.Tensor, top_p: float) -> torch.Tensor:
    """The likeliest tokens that together have `top_p`; the others get no chance."""
    ordered, places = chances.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(chances).scatter(-1, places, ordered.masked_fill(before >= top_p, 0.0))


class RowsDone(StoppingCriteria):
    """Ends each row at an end-of-sequence token, a stop text, or its own token limit.

    Args:
        tokens: Decodes.
        ends: Ids of tokens that end a response.
        stop: Texts that end a response.
        limits: The most tokens of each row.
        width: The columns of the prompts.

    Attributes:
        ended: For each row how many tokens it wrote and why it ended; None while it runs.
    """

    def __init__(
        self, tokens: Tokens, ends: set[int], stop: Sequence[str], limits: Sequence[int], width: int
    ) -> None:
        self.ended: list[tuple[int, Finish] | None] = [None] * len(limits)
        self._tokens, self._ends, self._stop, self._limits, self._width = tokens, ends, stop, limits, width
        # A stop text just completed lies within this many tokens, as each has a byte of it or more.
        self._window = max((len(text.encode()) for text in stop), default=0) + 8

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:  # noqa: ARG002  as above
        """Which rows are done."""
        count = input_ids.shape[1] - self._width
        running = [row for row, ended in enumerate(self.ended) if ended is None]
        tails = input_ids[:, -min(count, self._window) :].tolist()
        texts = self._tokens.tails([tails[row] for row in running]) if self._stop else [""] * len(running)
        for row, text in zip(running, texts, strict=True):
            if tails[row][-1] in self._ends or any(stop in text for stop in self._stop):
                self.ended[row] = (count, "stop")
            elif count >= self._limits[row]:
                self.ended[row] = (count, "length")
        return torch.tensor([ended is not None for ended in self.ended], device=input_ids.device)
