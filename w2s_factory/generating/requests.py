"""Requests to an engine, their sampling settings, and their completions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from w2s_factory.errors import TEXTS, UserError, are_texts, shown
from w2s_factory.quantities import (
    MAX_TOKENS,
    MaxTokens,
    MinP,
    PresencePenalty,
    RepetitionPenalty,
    Temperature,
    TopK,
    TopP,
)
from w2s_factory.ranges import check_fields

if TYPE_CHECKING:
    from w2s_factory.chat import Turn
    from w2s_factory.records import Id


Finish: TypeAlias = Literal["stop", "length", "error"]
"""The reason why a response ended: a stop text or end-of-sequence token, the token limit, or a failure."""


@dataclass(frozen=True)
class Request:
    """A prompt to be completed, or a conversation to be answered.

    Attributes:
        id: The question's id.
        seed: The seed of the run (0 to 9 for the paper's ten samples).
        prompt: The whole text that the model is given. In a chat it is the rendered conversation, whose
            tokens include all special ones; where a server renders it, it is the turns for a reader.
        turns: The conversation; none outside a chat.
        user_turn: In a chat the question as the user puts it, without demonstrations.
        opens_thinking: Whether the prompt ends with the start of thinking, which the response then lacks.
    """

    id: Id
    seed: int
    prompt: str
    turns: tuple[Turn, ...] = ()
    user_turn: str = ""
    opens_thinking: bool = False

    @property
    def system(self) -> str | None:
        """The system prompt of the conversation; None if there is none."""
        return next((turn.content for turn in self.turns if turn.role == "system"), None)

    @property
    def draw_seed(self) -> int:
        """The seed of this request's own draws: 31 bits that depend only on `seed` and `id`."""
        name = json.dumps([self.seed, self.id]).encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:4]) >> 1


@dataclass(frozen=True)
class Sampling:
    """The settings by which tokens are chosen and responses end; the same for every request of a run.

    Every engine applies them in the order of vLLM's sampler: repetition penalty, presence penalty; a greedy
    choice ends here. Then temperature, `min_p`, `top_k`, and `top_p` of what these left. (transformers' own
    `generate` applies `min_p` last, which differs only where `top_p` is set, too.)

    Attributes:
        temperature: The temperature; 0 is greedy.
        top_p: The share of the probability mass from which tokens are drawn.
        max_tokens: The largest number of tokens of a response.
        stop: Texts that end a response; they and the text after them are not part of it.
        top_k: The number of likeliest tokens from which one is drawn; 0 for all. Tokens equal to the last of
            them are drawn, too.
        min_p: The share of the likeliest token's probability below which no token is drawn.
        presence_penalty: Subtracted from the score of each token that the response holds already.
        repetition_penalty: Divides positive scores, and multiplies negative ones, of each token that the
            prompt or the response holds already.
    """

    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    max_tokens: MaxTokens = MAX_TOKENS
    stop: tuple[str, ...] = ()
    top_k: TopK = 0
    min_p: MinP = 0.0
    presence_penalty: PresencePenalty = 0.0
    repetition_penalty: RepetitionPenalty = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        if not are_texts(self.stop):
            raise UserError(f"expected {TEXTS}, got {shown(self.stop)}", field="stop")
        object.__setattr__(self, "stop", tuple(self.stop))  # the class is frozen

    def changed(self, *names: str) -> dict[str, Any]:
        """Return those of the named settings that are not at their neutral default, by name."""
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name in names if (value := getattr(self, name)) != defaults[name]}

    def settings(self) -> dict[str, Any]:
        """Return the settings as a journal records them; those that older ones lack only if changed."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop),
            **self.changed("top_k", "min_p", "presence_penalty", "repetition_penalty"),
        }


@dataclass(frozen=True)
class Completion:
    """The response to a request, or the reason why the engine refused it.

    Attributes:
        request: The request.
        text: The text as the model wrote it.
        finish: The reason why the text ended.
        tokens: The number of tokens that the model wrote; None if the engine does not know it.
        error: The reason why the engine refused the request; None for a response. See `refused`.
    """

    request: Request
    text: str
    finish: Finish
    tokens: int | None
    error: str | None = None

    @classmethod
    def refused(cls, request: Request, reason: str) -> Completion:
        """Return the completion of a request that the engine refuses, such as one with too long a prompt.

        It counts as unanswered, and the run continues. What fails for other reasons, such as a server that
        no longer answers, is an error to be raised.
        """
        return cls(request, "", "error", None, reason)
