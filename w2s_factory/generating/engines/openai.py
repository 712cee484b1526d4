"""The engine `openai`: any server with OpenAI-compatible endpoints for completions, or for chats."""

from __future__ import annotations

import os
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import openai
from annotated_types import Ge, Gt, Le

from w2s_factory.answers.thinking import DEFAULT_MARKERS, with_start
from w2s_factory.chat import THINKING_VARIABLES, read_template, thinking_markers
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.generating.chat_settings import Chat
from w2s_factory.generating.engines.concurrency import by_threads
from w2s_factory.generating.engines.served_adapters import ServedAdapter
from w2s_factory.generating.requests import Completion, Finish
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from w2s_factory.chat import ChatTemplate
    from w2s_factory.generating.chat_settings import ChatSettings
    from w2s_factory.generating.engines.base import Model
    from w2s_factory.generating.requests import Request, Sampling

    _Ask: TypeAlias = Callable[[Sampling, Request], Completion]

KEY = "OPENAI_API_KEY"

BEYOND_STANDARD = ("top_k", "min_p", "repetition_penalty")
"""Settings that vLLM's server and some others take in a request, although OpenAI's API does not have them."""

_MARKERS = DEFAULT_MARKERS[0]
"""The markers between which thinking is written that a server gives apart from the content."""

_REFUSED = (400, 413, 422)
"""The statuses by which a server refuses one request, and not all of them."""

Concurrency: TypeAlias = Annotated[int, Ge(1), Le(4_096)]
"""A number of concurrent requests, each in a thread."""

Retries: TypeAlias = Annotated[int, Ge(0), Le(1_000)]
"""A number of retries of a request; with eight seconds between two, a thousand take more than two hours."""

RequestTimeout: TypeAlias = Annotated[float, Gt(0), Le(86_400)]
"""Seconds to wait for one response, at most a day."""

RETRIES: Retries = 12
"""About 70 seconds with the client's back-off (half a second, doubled up to eight): a server's restart."""


class OpenAI:
    """A model on a server, to which several threads send requests.

    The key comes from the environment variable OPENAI_API_KEY; it is not needed if the server asks for none.

    Args:
        model: The name that the model has on the server. An adapter that the server offers is a model there.
        base_url: The address of the endpoint (`http://localhost:8000/v1`).
        concurrency: The number of concurrent requests.
        retries: The number of retries of a request when the server does not answer or is overloaded.
        timeout: Seconds to wait for one response.
        skip_special_tokens: Whether the server leaves special tokens out of its texts, as servers do. False
            tells vLLM's server to keep them, which a chat needs if markers of thinking are special tokens and
            the server has no parser of thinking.
        load_adapters: Whether to ask the server to load the model's adapter, which vLLM's server can do, and
            to unload it at the end. Otherwise an adapter is refused.

    Raises:
        UserError: `base_url` is missing, an option is for the server to decide, or there is no such adapter.
    """

    packages = ("openai",)

    def __init__(
        self,
        model: Model,
        *,
        base_url: str | None = None,
        concurrency: Concurrency = 32,
        retries: Retries = RETRIES,
        timeout: RequestTimeout = 600,
        skip_special_tokens: bool = True,
        load_adapters: bool = False,
    ) -> None:
        if base_url is None:
            hint = "Name the server, as in --base-url http://localhost:8000/v1"
            raise UserError("the engine openai needs a server", hint=hint)
        for name, value in (("skip_special_tokens", skip_special_tokens), ("load_adapters", load_adapters)):
            if type(value) is not bool:
                raise UserError("expected true or false", field=name)
        if model.adapter is not None and not load_adapters:
            hint = "Name the model under which the server offers it with --model, or let vLLM's server load "
            hint += "the adapter: --engine-option load_adapters=true"
            raise UserError("the server applies adapters itself", field="--adapter", hint=hint)
        if model.bos == "add":
            raise UserError("only the server can add a BOS token", field="--bos", hint="Use auto or none")
        if type(base_url) is not str:
            raise UserError("expected an address (http://localhost:8000/v1)", field="base_url")
        self._model, self._base_url, self._concurrency = model, base_url, concurrency
        self._kept = {} if skip_special_tokens else {"skip_special_tokens": False}
        self._chat: Chat | None = None
        self._client = openai.OpenAI(
            base_url=base_url, api_key=os.environ.get(KEY, "none"), max_retries=retries, timeout=timeout
        )
        self._adapter = None if model.adapter is None else ServedAdapter(model.adapter, self._client)

    def start_chat(self, settings: ChatSettings) -> Chat:
        """Return the chat in the server's own template, or in that of the file that the settings name.

        Raises:
            UserError: The file cannot be read or rendered, or `bos` is not `auto`.
        """
        if self._model.bos != "auto":
            problem = "in a chat the server's template writes the BOS token"
            raise UserError(problem, field="--bos", hint="Use --bos auto")
        template = None if settings.file is None else read_template(settings.file)
        markers = settings.markers or (_MARKERS if template is None else thinking_markers(template))
        self._chat = Chat(settings=settings, template=template, markers=markers)
        return self._chat

    def settings(self) -> dict[str, Any]:
        """Return the model's name on the server, which is all that is known of it, and BOS handling.

        The hash of an adapter that the server is asked to load is known, too.
        """
        adapter = None if self._adapter is None else self._adapter.content
        return {"model": self._model.name, "adapter": adapter, "bos": self._model.bos, **self._kept}

    def tokens(self, prompt: str) -> None:
        """Return None: only the server knows the tokenizer."""

    def batches(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Return each request by itself."""
        return [[request] for request in requests]

    def complete(self, batches: Sequence[Sequence[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Complete all requests, `concurrency` at a time; yield each completion when it is finished.

        When a request fails, the completions of running requests are yielded before its error is raised.
        """
        self._check_server()
        self._load_adapter()
        asks = chain.from_iterable(batches)
        yield from by_threads(partial(self._completed, sampling), asks, self._concurrency)

    def close(self) -> None:
        """Unload the adapter that the server loaded, and close the connections."""
        if self._adapter is not None:
            self._adapter.unload()
        self._client.close()

    def _check_server(self) -> None:
        """Check at once, without a minute of retries, that the server answers and offers the model."""
        try:
            offered = [
                model.id for model in self._client.with_options(max_retries=0, timeout=30).models.list()
            ]
        except openai.APIConnectionError as error:
            raise UserError(f"no server answers at {self._base_url} ({error.__cause__ or error})") from None
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                raise self._failure(error) from None
            return  # not every server lists its models
        if offered and self._model.name not in offered:
            hint = f"It offers {', '.join(offered[:10])}"
            raise UserError(f'the server has no model "{self._model.name}"', field="--model", hint=hint)

    def _load_adapter(self) -> None:
        """Have the server load the adapter, if there is one, without a minute of retries."""
        try:
            if self._adapter is not None:
                self._adapter.load()
        except openai.APIError as error:
            raise self._failure(error) from None

    def _completed(self, sampling: Sampling, request: Request) -> Completion:
        ask = self._complete_prompt if self._chat is None else self._answer_turns
        try:
            return self._with_adapter(ask, sampling, request)
        except openai.APIError as error:
            if getattr(error, "status_code", None) in _REFUSED:
                return Completion.refused(request, _refusal(error, sampling))
            raise self._failure(error, request) from None

    def _with_adapter(self, ask: _Ask, sampling: Sampling, request: Request) -> Completion:
        """Ask; if the server lost the adapter, as by a restart, have it loaded and ask again."""
        try:
            return ask(sampling, request)
        except openai.NotFoundError:
            if self._adapter is None:
                raise
            self._adapter.load()
            return ask(sampling, request)

    def _complete_prompt(self, sampling: Sampling, request: Request) -> Completion:
        answer = self._client.completions.create(
            prompt=request.prompt,
            extra_body=self._bos | self._kept | sampling.changed(*BEYOND_STANDARD),
            **self._asked(sampling, request),
        )
        choice = answer.choices[0]
        return _completion(request, choice.text, choice.finish_reason, answer.usage)

    def _answer_turns(self, sampling: Sampling, request: Request) -> Completion:
        messages: Any = [{"role": turn.role, "content": turn.content} for turn in request.turns]
        answer = self._client.chat.completions.create(
            messages=messages,
            extra_body=self._template | self._kept | sampling.changed(*BEYOND_STANDARD),
            **self._asked(sampling, request),
        )
        choice = answer.choices[0]
        text = self._written(choice.message, choice.finish_reason)
        return _completion(request, text, choice.finish_reason, answer.usage)

    def _asked(self, sampling: Sampling, request: Request) -> dict[str, Any]:
        """Return the parameters that both endpoints take."""
        return {
            "model": self._model.name if self._adapter is None else self._adapter.name,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "stop": list(sampling.stop) or None,
            "seed": request.draw_seed if sampling.temperature > 0 else None,
            **sampling.changed("presence_penalty"),
        }

    def _written(self, message: Any, reason: str | None) -> str:
        """Return the text that the model wrote, with the markers between which a server found its thinking.

        vLLM's server calls it `reasoning`, or `reasoning_content` in earlier versions and in other servers.
        The end is missing if there is no content: then the thinking was cut off. With thinking switched off,
        however, some parsers (`deepseek_r1` of vLLM 0.28) take all of a response for thinking, as they find
        no end of it; a response that ended by itself is the answer then.

        Args:
            message: The server's message.
            reason: The reason why the response ended: `stop` by itself, `length` at the token limit.
        """
        content: str = message.content or ""
        thinking = getattr(message, "reasoning", None) or getattr(message, "reasoning_content", None)
        if self._chat is None:
            return content
        if not thinking:
            return self._opened(self._chat, content, cut=reason == "length")
        if self._chat.settings.switch is False and reason == "stop" and not content:
            return str(thinking)
        markers = self._chat.markers or _MARKERS
        return f"{markers.start}{thinking}{markers.end if content else ''}{content}"

    def _opened(self, chat: Chat, content: str, *, cut: bool) -> str:
        """Return a response with the start of its thinking where only the prompt can have had it.

        A server's own template is not known here, and may open the thinking. It did if the response has an
        end without a start; also if the response was cut before any marker, and the model is known to think,
        as thinking was asked for or its markers were named. Otherwise that thinking would pass for an answer.
        """
        markers, named = chat.markers or _MARKERS, chat.settings.markers
        if chat.template is not None or chat.settings.switch is False or markers.start in content:
            return content
        thinking, end, _ = content.partition(markers.end)
        if end:
            return with_start(content, named) if thinking.strip() else content
        thinks = chat.settings.switch is True or named is not None
        return markers.start + content if cut and thinks else content

    @property
    def _template(self) -> dict[str, Any]:
        """Return the parameters for the server's template: a switch of thinking, and the text of a template.

        They are not part of the standard; vLLM's server takes a template if it is started with
        `--trust-request-chat-template`.
        """
        if self._chat is None:
            return {}
        switch, template = self._chat.settings.switch, self._chat.template
        names = {} if switch is None else dict.fromkeys(THINKING_VARIABLES, switch)
        return {
            **({"chat_template_kwargs": names} if names else {}),
            **({} if template is None else {"chat_template": _sent(template, self._chat.settings)}),
        }

    @cached_property
    def _bos(self) -> dict[str, Any]:
        """Return the parameter with which vLLM's server omits BOS; it is not part of the standard."""
        return {"add_special_tokens": False} if self._model.bos == "none" else {}

    def _failure(self, error: openai.APIError, request: Request | None = None) -> UserError | DelegateError:
        what = f"question {request.id}: " if request else ""
        if isinstance(error, openai.APIConnectionError):
            return DelegateError(
                f"{what}the server at {self._base_url} no longer answers ({first_line(str(error))})"
            )
        status = getattr(error, "status_code", None)
        if status in (401, 403):
            return UserError(f"the server at {self._base_url} refuses the key", hint=f"Set {KEY}")
        return DelegateError(
            f"{what}the server at {self._base_url} answers {status} ({first_line(error.message)})"
        )


def _sent(template: ChatTemplate, settings: ChatSettings) -> str:
    """Return the text of a template for the server, with the date of the run instead of the server's."""
    return template.text if settings.date is None else template.dated(settings.date)


def _completion(request: Request, text: str, reason: str | None, usage: Any) -> Completion:
    finish: Finish = "length" if reason == "length" else "stop"
    return Completion(request, text, finish, usage.completion_tokens if usage else None)


def _refusal(error: openai.APIError, sampling: Sampling) -> str:
    """Return why the server refused a request, with the settings that it may not know."""
    status, beyond = getattr(error, "status_code", None), ", ".join(sampling.changed(*BEYOND_STANDARD))
    doubt = f"; it may not take {beyond}" if beyond else ""
    return f"the server answers {status} ({first_line(error.message)}){doubt}"
