"""Stop texts (`--stop`) where a model may think: they end its answer, never its thinking."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from w2s_factory.answers.thinking import DEFAULT_MARKERS, split_thinking

if TYPE_CHECKING:
    from w2s_factory.generating.chat_settings import Chat
    from w2s_factory.generating.requests import Completion, Sampling


class AnswerStops:
    """The stop texts of a run, which an engine applies itself unless the model may think.

    An engine looks for stop texts in all that a model writes. In a chat with a model that thinks, it is
    given none, and the answer is cut afterwards. Tokens that the model wrote after the stop text are lost.

    Args:
        sampling: The sampling of the run.
        chat: The chat as the engine's model takes it; None outside a chat.

    Attributes:
        sampling: The sampling for the engine.
    """

    def __init__(self, sampling: Sampling, chat: Chat | None) -> None:
        thinks = chat is not None and chat.markers is not None and chat.settings.thinking != "off"
        self.sampling = replace(sampling, stop=()) if thinks else sampling
        self._stop = sampling.stop if thinks else ()
        self._markers = DEFAULT_MARKERS if chat is None else chat.known_markers

    def applied(self, completion: Completion) -> Completion:
        """Return a completion whose answer ends before the first stop text; thinking is left as it is."""
        if not self._stop or completion.error is not None:
            return completion
        text, opened = completion.text, completion.request.opens_thinking
        parts = split_thinking(text, opened=opened, markers=self._markers)
        if not parts.closed:
            return completion
        begin = text.rfind(parts.answer)
        cuts = [place for stop in self._stop if (place := text.find(stop, begin)) >= 0]
        return replace(completion, text=text[: min(cuts)], finish="stop") if cuts else completion
