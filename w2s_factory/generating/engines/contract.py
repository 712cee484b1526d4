"""A wrapper that checks the values an engine returns, as the interface `Engine` requires them.

Engines come from other packages. An engine that returns a wrong value would leave entries in a journal that
no later run can read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from w2s_factory.errors import RAISED, DelegateError, UserError, W2SError, shown
from w2s_factory.generating.chat_settings import Chat
from w2s_factory.generating.requests import Completion, Finish, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from w2s_factory.generating.chat_settings import ChatSettings
    from w2s_factory.generating.engines.base import Engine
    from w2s_factory.generating.requests import Sampling

_END = object()
_METHODS = ("settings", "tokens", "batches", "complete", "close")


class Contracted:
    """An engine whose returned values are checked.

    Args:
        name: The engine's name, for messages.
        engine: The engine, possibly of another package.

    Raises:
        UserError: The engine lacks a method or `packages`. Raised by methods: a method other than `complete`
            raised an error, or one returned a value of the wrong type or a completion of another request.
        DelegateError: Raised by `complete`: the engine's `complete` raised an error.
    """

    def __init__(self, name: str, engine: Engine) -> None:
        self._name, self._engine = name, engine
        for method in _METHODS:
            if not callable(self._called(method, getattr, engine, method, None)):
                raise UserError(f"engine {name} has no method {method}", hint=_HINT)
        packages: Any = self._called("packages", getattr, engine, "packages", None)
        if not _is_list(packages) or not all(map(_is_name, packages)):
            raise self._wrong("packages", "a sequence of names of distributions", packages)
        self.packages: Sequence[str] = packages

    def start_chat(self, settings: ChatSettings) -> Chat:
        """Return the chat as the engine's model takes it.

        Raises:
            UserError: The engine cannot ask in a chat, or returned something else than a chat.
        """
        start = self._called("start_chat", getattr, self._engine, "start_chat", None)
        if not callable(start):
            problem = f"engine {self._name} cannot ask in a chat; it only completes prompts"
            raise UserError(problem, hint="Use --chat off, or another --engine")
        chat = self._called("start_chat", start, settings)
        if not isinstance(chat, Chat):
            raise self._wrong("start_chat", "a Chat", chat)
        return chat

    def settings(self) -> dict[str, Any]:
        """Return the engine's settings as plain values, as a journal holds them."""
        settings = self._called("settings", self._engine.settings)
        if not isinstance(settings, Mapping):
            raise self._wrong("settings", "a mapping of plain values", settings)
        if not _has_text_keys(settings):
            raise self._wrong("settings", "a mapping whose keys are text at every level", settings)
        try:
            json.dumps(dict(settings), allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise self._wrong("settings", "a mapping of plain values", settings) from None
        return {name: _plain(value) for name, value in settings.items()}

    def tokens(self, prompt: str) -> list[tuple[int, str]] | None:
        """Return the tokens of a prompt."""
        tokens: list[tuple[int, str]] | None = self._called("tokens", self._engine.tokens, prompt)
        if tokens is not None and not (_is_list(tokens) and all(map(_is_token, tokens))):
            raise self._wrong("tokens", "a list of pairs of token id and text, or None", tokens)
        return tokens

    def batches(self, requests: Sequence[Request]) -> Sequence[Sequence[Request]]:
        """Return the requests in batches; each of them is in exactly one."""
        batches: Sequence[Sequence[Request]] = self._called("batches", self._engine.batches, requests)
        if not _is_list(batches) or not all(map(_is_list, batches)):
            raise self._wrong("batches", "a list of lists of requests", batches)
        try:
            asked = Counter(request for batch in batches for request in batch)
        except TypeError:  # what is not a request need not be hashable
            raise self._wrong("batches", "a list of lists of requests", batches) from None
        if asked != Counter(requests):
            problem = f"engine {self._name}: batches returned other requests than it was given"
            raise UserError(problem, hint="Put each request into exactly one batch")
        return batches

    def unanswerable(self, requests: Sequence[Request]) -> list[Completion]:
        """Return the failures of requests that can't be answered, each checked."""
        find = self._called("unanswerable", getattr, self._engine, "unanswerable", None)
        found = self._called("unanswerable", find, requests) if callable(find) else []
        if not _is_list(found):
            raise self._wrong("unanswerable", "a list of Completion", found)
        asked = set(requests)
        completions = [self._checked(completion, asked) for completion in found]
        for completion in completions:
            if completion.error is None:
                raise self._wrong("unanswerable", "completions with an error", completion)
        return completions

    def complete(self, batches: Sequence[Sequence[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Yield the completions of these requests, each checked."""
        asked = {request for batch in batches for request in batch}
        completions = self._called("complete", self._engine.complete, batches, sampling, failed=DelegateError)
        if not isinstance(completions, Iterable):
            raise self._wrong("complete", "an iterator of Completion", completions)
        iterator = self._called("complete", iter, completions, failed=DelegateError)
        while True:
            completion = self._called("complete", next, iterator, _END, failed=DelegateError)
            if completion is _END:
                return
            yield self._checked(completion, asked)

    def close(self) -> None:
        """Free the engine's resources."""
        self._called("close", self._engine.close)

    def _checked(self, completion: Any, asked: set[Request]) -> Completion:
        if not isinstance(completion, Completion):
            raise self._wrong("complete", "Completion objects", completion)
        if not isinstance(completion.request, Request) or completion.request not in asked:
            raise self._wrong("complete", "a Completion of a request it was given", completion.request)
        for field, fits, words in (
            ("text", isinstance(completion.text, str), "text"),
            ("finish", completion.finish in get_args(Finish), '"stop" or "length", or "error" with an error'),
            ("tokens", _is_count(completion.tokens), "a whole number from 0 to 2**63 - 1, or None"),
            ("error", _is_reason(completion), 'None, or with the finish "error" and no text, a reason'),
        ):
            if not fits:
                where = f"a Completion (question {completion.request.id}) whose {field} is {words}"
                raise self._wrong("complete", where, getattr(completion, field))
        return completion

    def _called(
        self,
        method: str,
        function: Callable[..., Any],
        *arguments: Any,
        failed: type[UserError | DelegateError] = UserError,
    ) -> Any:
        try:
            return function(*arguments)
        except W2SError:
            raise
        except RAISED as error:  # the engine of another package may raise any error
            problem = f"engine {self._name}: {method} raised {type(error).__name__}: {error}"
            raise failed(problem) from error

    def _wrong(self, method: str, expected: str, got: Any) -> UserError:
        problem = f"engine {self._name}: {method}: expected {expected}, got {shown(got)}"
        return UserError(problem, hint=_HINT)


_HINT = "w2s_factory.generating.Engine defines what an engine must do"


def _plain(value: Any) -> Any:
    """Return a value as a journal has it: tuples are lists there."""
    if isinstance(value, Mapping):
        return {key: _plain(inside) for key, inside in value.items()}
    return [_plain(inside) for inside in value] if isinstance(value, (list, tuple)) else value


def _has_text_keys(value: Any) -> bool:
    """Return whether every mapping within a value has only text as keys: JSON would turn 1 into "1"."""
    open_: list[Any] = [value]
    seen: set[int] = set()
    while open_:
        inside = open_.pop()
        if not isinstance(inside, (Mapping, list, tuple)) or id(inside) in seen:
            continue
        seen.add(id(inside))
        if isinstance(inside, Mapping):
            if not all(isinstance(key, str) for key in inside):
                return False
            open_ += inside.values()
        else:
            open_ += inside
    return True


def _is_name(package: Any) -> bool:
    return isinstance(package, str) and package.strip() != ""


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _is_token(token: Any) -> bool:
    return (
        isinstance(token, (tuple, list))
        and [type(part) for part in token][:1] == [int]
        and len(token) == 2
        and isinstance(token[1], str)
    )


def _is_reason(completion: Completion) -> bool:
    if completion.finish != "error":
        return completion.error is None
    reason: Any = completion.error
    return completion.text == "" and isinstance(reason, str) and reason.strip() != ""


def _is_count(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value < 2**63)
