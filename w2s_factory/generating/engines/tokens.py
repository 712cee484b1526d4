"""Prompts as tokens and tokens as text, in the same way for every engine that loads the tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import AutoTokenizer

from w2s_factory.errors import UserError
from w2s_factory.generating.chat_settings import Chat
from w2s_factory.generating.requests import Completion
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from w2s_factory.generating.chat_settings import ChatSettings
    from w2s_factory.generating.engines.base import Bos
    from w2s_factory.generating.requests import Request

_CONTEXT = 8
"""The number of preceding tokens that are decoded with a token, whose text can depend on them."""

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


def without_room(requests: Sequence[Request], tokens: Tokens, context: int | None) -> list[Completion]:
    """Return the failures of those requests whose prompts leave no room for an answer.

    Args:
        requests: The requests.
        tokens: The tokenizer.
        context: The number of tokens that prompt and response may have together; None if there is no limit.
    """
    if context is None:
        return []
    lengths = {prompt: len(tokens.encode(prompt)) for prompt in {request.prompt for request in requests}}
    return [
        Completion.refused(request, f"the prompt has {length:,} tokens, the model's context {context:,}")
        for request in requests
        if (length := lengths[request.prompt]) >= context
    ]


class Tokens:
    """A model's tokenizer, with the BOS handling asked for; in a chat, the template writes what is added.

    Args:
        folder: The model's folder.
        bos: The handling of the beginning-of-sequence token, see `Model`.

    Attributes:
        shows_special: Whether texts include special tokens: in a chat, if markers of thinking are among them.
        turn_ends: The token that ends the assistant's turn in the chat template, if it is a single one. A
            model that was trained with a template need not have it as its end of a sequence.

    Raises:
        UserError: There is no tokenizer, or `bos` is `add` and the tokenizer has no BOS token.
    """

    def __init__(self, folder: Path, bos: Bos) -> None:
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        except Exception as error:  # broken files make the library raise anything
            reason = first_line(f"{type(error).__name__}: {error}")
            raise UserError(f"the tokenizer cannot be loaded ({reason})", file=folder) from error
        if bos == "add" and self.tokenizer.bos_token_id is None:
            raise UserError("the tokenizer has no BOS token to add", file=folder, field="--bos")
        self._folder, self._bos = folder, bos
        self._in_chat = self.shows_special = False
        self.turn_ends: list[int] = []

    def start_chat(self, settings: ChatSettings) -> Chat:
        """Return the chat as this model takes it; from now on, prompts are rendered conversations.

        Where markers of thinking are special tokens, special tokens are part of the texts.

        Raises:
            UserError: The model has no chat template, it cannot be rendered as the settings ask for, or
                `bos` is `add`.
        """
        if self._bos == "add":
            problem = "in a chat the template writes the BOS token"
            raise UserError(problem, field="--bos", hint="Use --bos auto")
        chat = Chat.of(settings, settings.template_for(self._folder), self.tokenizer.get_added_vocab())
        markers = "" if chat.markers is None else f"{chat.markers.start}{chat.markers.end}"
        self._in_chat = True
        added: dict[int, Any] = self.tokenizer.added_tokens_decoder
        self.shows_special = any(token in added and added[token].special for token in self._ids(markers))
        end = "" if chat.template is None else chat.template.turn_end
        self.turn_ends = [token for token in self._ids(end)[:1] if token in added]
        return chat

    def _ids(self, text: str) -> list[int]:
        """Return the token ids of a text to which nothing is added."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def encode(self, prompt: str) -> list[int]:
        """Return the token ids of a prompt; `without_room` finds those that are too long for the model."""
        if self._in_chat:
            return self._ids(prompt)
        bos = self._bos == "auto"
        ids: list[int] = self.tokenizer(prompt, add_special_tokens=bos, verbose=False)["input_ids"]
        return [self.tokenizer.bos_token_id, *ids] if self._bos == "add" else ids

    def shown(self, prompt: str) -> list[tuple[int, str]]:
        """Return the token ids of a prompt, each with its name in the vocabulary."""
        ids = self.encode(prompt)
        return list(zip(ids, self.tokenizer.convert_ids_to_tokens(ids), strict=True))

    def continuation(self, prompt: Sequence[int], written: Sequence[int]) -> str:
        """Return the text of the tokens written after a prompt; a leading space is kept.

        Special tokens are left out, except in a chat whose markers of thinking are special tokens. So is a
        last character of which bytes are missing.
        """
        context = list(prompt[-_CONTEXT:])
        before, text = self._decode(context), self._decode([*context, *written])
        behind = text[len(before) :] if text.startswith(before) else self._decode(written)
        return behind.rstrip(_INCOMPLETE)

    def tails(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Return the texts of several rows of tokens, in which stop texts are searched."""
        decoded: list[str] = self.tokenizer.batch_decode(
            rows, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return decoded

    def special(self, texts: Sequence[str]) -> list[int]:
        """Return the ids of the texts that are special tokens, which decoded text never shows."""
        specials = set(self.tokenizer.all_special_tokens) | set(self.tokenizer.get_added_vocab())
        return [self.tokenizer.convert_tokens_to_ids(text) for text in texts if text in specials]

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(
            ids, skip_special_tokens=not self.shows_special, clean_up_tokenization_spaces=False
        )
        return text
