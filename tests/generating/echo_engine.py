"""An engine as another package might offer it: answers at once, two requests to a part, last part first."""

from __future__ import annotations

from typing import ClassVar

from w2s_factory.generating import Chat, Completion
from w2s_factory.generating.engines.model_folders import model_folder


class Echo:
    packages = ()
    asked: ClassVar[list] = []

    def __init__(self, model, *, say="echo", stop_after=None, error=None):
        self._model, self._say, self._stop_after, self._error = model, say, stop_after, error

    def settings(self):
        return {"model": self._model.name, "say": self._say}

    def tokens(self, prompt):
        return None

    def batches(self, requests):
        return [requests[i : i + 2] for i in range(0, len(requests), 2)]

    def complete(self, batches, sampling):
        for n, request in enumerate(request for batch in reversed(batches) for request in reversed(batch)):
            if n == self._stop_after:
                if self._error:
                    raise self._error
                return
            Echo.asked.append((request.seed, request.id))
            finish = "length" if request.id == 0 else "stop"
            yield Completion(request, f" {self._say} {request.id} {request.seed}.\n", finish, 3)

    def close(self):
        pass


class ChattingEcho(Echo):
    """The same for prompts and conversations."""

    def start_chat(self, settings):
        return Chat.of(settings, settings.template_for(model_folder(self._model.name)))
