"""Requests to an engine, their sampling settings, and their completions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from w2s_factory.errors import TEXTS, UserError, are_texts, shown
from w2s_factory.quantities import MAX_TOKENS, MaxTokens, Temperature, TopP
from w2s_factory.ranges import check_fields

if TYPE_CHECKING:
    from w2s_factory.records import Id


Finish: TypeAlias = Literal["stop", "length"]
"""The reason why a response ended: a stop text or end-of-sequence token, or the token limit."""


@dataclass(frozen=True)
class Request:
    """A prompt to be completed.

    Attributes:
        id: The question's id.
        seed: The seed of the run (0 to 9 for the paper's ten samples).
        prompt: The whole text that the model is given.
    """

    id: Id
    seed: int
    prompt: str

    @property
    def draw_seed(self) -> int:
        """The seed of this request's own draws: 31 bits that depend only on `seed` and `id`."""
        name = json.dumps([self.seed, self.id]).encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:4]) >> 1


@dataclass(frozen=True)
class Sampling:
    """The settings by which tokens are chosen and responses end; the same for every request of a run.

    Attributes:
        temperature: The temperature; 0 is greedy.
        top_p: The share of the probability mass from which tokens are drawn.
        max_tokens: The largest number of tokens of a response.
        stop: Texts that end a response; they and the text after them are not part of it.
    """

    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    max_tokens: MaxTokens = MAX_TOKENS
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        if not are_texts(self.stop):
            raise UserError(f"expected {TEXTS}, got {shown(self.stop)}", field="stop")
        object.__setattr__(self, "stop", tuple(self.stop))  # the class is frozen


@dataclass(frozen=True)
class Completion:
    """The response to a request.

    Attributes:
        request: The request.
        text: The text as the model wrote it.
        finish: The reason why the text ended.
        tokens: The number of tokens that the model wrote; None if the engine does not know it.
    """

    request: Request
    text: str
    finish: Finish
    tokens: int | None
