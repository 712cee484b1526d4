"""The choice of tokens in the engine `transformers`: penalties, filters, and draws that are seeded by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import LogitsProcessor, LogitsProcessorList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.generating.requests import Sampling


def processors(
    seeds: Sequence[int], prompts: Sequence[Sequence[int]], sampling: Sampling
) -> LogitsProcessorList:
    """Return the processors that make the greedy choice of `generate` the choice that a sampling asks for.

    Args:
        seeds: The seed of each row's draws.
        prompts: The token ids of each row's prompt, without padding.
        sampling: The sampling.
    """
    chosen = LogitsProcessorList()
    if sampling.changed("presence_penalty", "repetition_penalty"):
        chosen.append(Penalties(prompts, sampling))
    if sampling.temperature > 0:
        chosen.append(SeededDraws(seeds, sampling))
    return chosen


class Penalties(LogitsProcessor):
    """A processor that lowers the scores of tokens which a row holds already.

    transformers has a processor for the repetition penalty alone, which would count padding as part of the
    prompt, and none for the presence penalty.

    Args:
        prompts: The token ids of each row's prompt, without padding.
        sampling: The two penalties.
    """

    def __init__(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> None:
        self._prompts, self._width = prompts, max(map(len, prompts))
        self._presence, self._repetition = sampling.presence_penalty, sampling.repetition_penalty
        self._asked: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores (rows x vocabulary) after both penalties."""
        if self._asked is None:
            self._asked = torch.zeros_like(scores, dtype=torch.bool)
            for row, prompt in enumerate(self._prompts):
                self._asked[row, prompt] = True
        written = torch.zeros_like(scores, dtype=torch.bool)
        written.scatter_(1, input_ids[:, self._width :], value=True)
        repeated = torch.where(scores > 0, scores / self._repetition, scores * self._repetition)
        return torch.where(self._asked | written, repeated, scores) - self._presence * written


class SeededDraws(LogitsProcessor):
    """A processor of scores that turns the greedy choice into a draw, independent of the other rows.

    Each row has its own generator. The largest quotient of probability and exponential noise falls on each
    token with that token's probability (the Gumbel-max trick).

    Args:
        seeds: The seed of each row.
        sampling: The temperature (above 0), min_p, top_k and top_p, which are applied in this order.
    """

    def __init__(self, seeds: Sequence[int], sampling: Sampling) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._sampling = sampling

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002  transformers passes both
        """Return scores (rows x vocabulary) of which the largest in each row is the drawn token."""
        chances = torch.softmax(scores.float() / self._sampling.temperature, dim=-1)
        if self._sampling.min_p > 0:
            chances = _above_min_p(chances, self._sampling.min_p)
        if 0 < self._sampling.top_k < chances.shape[-1]:
            chances = _likeliest(chances, self._sampling.top_k)
        if self._sampling.top_p < 1:
            chances = _nucleus(chances, self._sampling.top_p)
        noise = torch.stack(
            [
                torch.empty(scores.shape[-1]).exponential_(generator=generator)
                for generator in self._generators
            ]
        )
        return chances / noise.to(chances.device)


def _above_min_p(chances: torch.Tensor, min_p: float) -> torch.Tensor:
    """Return rescaled probabilities of the tokens at least `min_p` times as likely as the likeliest one."""
    least = min_p * chances.amax(dim=-1, keepdim=True)
    return _normalised(chances.masked_fill(chances < least, 0.0))


def _likeliest(chances: torch.Tensor, top_k: int) -> torch.Tensor:
    """Return rescaled probabilities of the `top_k` likeliest tokens and those equal to the last of them."""
    least = chances.topk(top_k, dim=-1).values[..., -1:]
    return _normalised(chances.masked_fill(chances < least, 0.0))


def _nucleus(chances: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return the probabilities with zeros outside the likeliest tokens that together have `top_p`."""
    ordered, places = chances.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(chances).scatter(-1, places, ordered.masked_fill(before >= top_p, 0.0))


def _normalised(chances: torch.Tensor) -> torch.Tensor:
    return chances / chances.sum(dim=-1, keepdim=True)
