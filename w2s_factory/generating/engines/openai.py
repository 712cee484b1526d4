"""The engine `openai`: any server with an OpenAI-compatible completions endpoint, through the client."""

from __future__ import annotations

import os
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import openai
from annotated_types import Ge, Gt, Le

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.generating.engines.concurrency import by_threads
from w2s_factory.generating.requests import Completion, Finish
from w2s_factory.ranges import check
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.generating.engines.base import Model
    from w2s_factory.generating.requests import Request, Sampling

KEY = "OPENAI_API_KEY"

Concurrency: TypeAlias = Annotated[int, Ge(1), Le(4_096)]
"""Requests under way at a time, each in a thread."""

Retries: TypeAlias = Annotated[int, Ge(0), Le(1_000)]
"""Further tries of a request; with eight seconds between two, a thousand take more than two hours."""

RequestTimeout: TypeAlias = Annotated[float, Gt(0), Le(86_400)]
"""Seconds to wait for one response, at most a day."""

RETRIES: Retries = 12
"""With the client's back-off (half a second, doubling up to eight) about 70 seconds: a server's restart."""


class OpenAI:
    """A model on a server, asked by several threads at a time.

    The key comes from the environment variable OPENAI_API_KEY; a server that needs none is given none.

    Args:
        model: The name it has there. An adapter the server offers is a model of its own.
        base_url: Where the endpoint lies (`http://localhost:8000/v1`).
        concurrency: Requests under way at a time.
        retries: How often a request is tried again when the server does not answer or is overloaded.
        timeout: Seconds to wait for one response.

    Raises:
        UserError: No `base_url`, or something the server would have to decide.
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
    ) -> None:
        if base_url is None:
            hint = "Name the server, as in --base-url http://localhost:8000/v1"
            raise UserError("the engine openai needs a server", hint=hint)
        if model.adapter is not None:
            hint = "Name the model under which the server offers it with --model"
            raise UserError("a server's adapters are the server's", field="--adapter", hint=hint)
        if model.bos == "add":
            raise UserError("only the server could add one more BOS", field="--bos", hint="Take auto or none")
        if type(base_url) is not str:
            raise UserError("expected an address (http://localhost:8000/v1)", field="base_url")
        check(concurrency, Concurrency, "concurrency")
        check(retries, Retries, "retries")
        check(timeout, RequestTimeout, "timeout")
        self._model, self._base_url, self._concurrency = model, base_url, concurrency
        self._client = openai.OpenAI(
            base_url=base_url, api_key=os.environ.get(KEY, "none"), max_retries=retries, timeout=timeout
        )

    def settings(self) -> dict[str, Any]:
        """The model's name on the server, all that is known of it, and BOS handling."""
        return {"model": self._model.name, "adapter": None, "bos": self._model.bos}

    def tokens(self, prompt: str) -> None:
        """Unknown: the tokenizer is the server's."""

    def batches(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Each request for itself."""
        return [[request] for request in requests]

    def complete(self, batches: Sequence[Sequence[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Complete all requests, `concurrency` at a time, each given when it is finished.

        Those under way when one fails are given, too, before its error is raised.
        """
        self._greet()
        asks = chain.from_iterable(batches)
        yield from by_threads(partial(self._one, sampling), asks, self._concurrency)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _greet(self) -> None:
        """Find out now, not after a minute of retries, that there is no such server or model."""
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

    def _one(self, sampling: Sampling, request: Request) -> Completion:
        try:
            answer = self._client.completions.create(
                model=self._model.name,
                prompt=request.prompt,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                stop=list(sampling.stop) or None,
                seed=request.draw_seed if sampling.temperature > 0 else None,
                extra_body=self._extra,
            )
        except openai.APIError as error:
            raise self._failure(error, request) from None
        choice = answer.choices[0]
        finish: Finish = "length" if choice.finish_reason == "length" else "stop"
        tokens = answer.usage.completion_tokens if answer.usage else None
        return Completion(request, choice.text, finish, tokens)

    @cached_property
    def _extra(self) -> dict[str, Any]:
        """What vLLM's server understands beyond the standard: leave BOS away."""
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
