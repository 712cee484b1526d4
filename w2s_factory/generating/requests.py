"""What an engine is asked, and what it answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from w2s_factory.errors import TEXTS, UserError, are_texts, shown
from w2s_factory.quantities import MaxTokens, Temperature, TopP
from w2s_factory.ranges import check_fields

if TYPE_CHECKING:
    from w2s_factory.records import Id


Finish: TypeAlias = Literal["stop", "length"]
"""Why a response ended: at a stop text or end-of-sequence token, or at the token limit."""


@dataclass(frozen=True)
class Request:
    """One prompt to be completed.

    Attributes:
        id: Of the question.
        seed: Of the run it belongs to (0 to 9 for the paper's ten samples).
        prompt: The whole text the model is given.
    """

    id: Id
    seed: int
    prompt: str

    @property
    def draw_seed(self) -> int:
        """The seed of this request's own draws: 31 bits that depend on `seed` and `id` alone."""
        name = json.dumps([self.seed, self.id]).encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:4]) >> 1


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen and when a response ends; the same for every request of a run.

    Attributes:
        temperature: 0 is greedy.
        top_p: The share of the probability mass that is drawn from.
        max_tokens: The longest response, in tokens.
        stop: Texts that end a response; neither they nor anything behind them belongs to it.
    """

    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    max_tokens: MaxTokens = 1024
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        if not are_texts(self.stop):
            raise UserError(f"expected {TEXTS}, got {shown(self.stop)}", field="stop")
        object.__setattr__(self, "stop", tuple(self.stop))  # the class is frozen


@dataclass(frozen=True)
class Completion:
    """A finished request.

    Attributes:
        request: Which one.
        text: What the model wrote, as it wrote it.
        finish: Why it ended.
        tokens: How many tokens the model wrote; None where the engine does not say.
    """

    request: Request
    text: str
    finish: Finish
    tokens: int | None
