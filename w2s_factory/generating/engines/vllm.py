"""The engine `vllm`: vLLM within this process, tensor and data parallel, each response given when finished.

vLLM is fed in one of two ways: step by step if there is one replica, asynchronously if there are several.
This module can be imported only where vLLM is installed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from functools import cached_property
from importlib import metadata
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # results alone go to stdout

from vllm import SamplingParams, exceptions
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.llm_engine import LLMEngine

from w2s_factory.errors import DelegateError, UserError, W2SError, did_you_mean
from w2s_factory.generating.engines.concurrency import by_tasks
from w2s_factory.generating.engines.model_folders import adapter_folder, content, model_folder
from w2s_factory.generating.engines.tokens import Tokens, without_room
from w2s_factory.generating.engines.vllm_arguments import deciding, rank_served
from w2s_factory.generating.engines.weights import check_fits, merged_folder
from w2s_factory.generating.requests import Completion, Finish
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from vllm import RequestOutput

    from w2s_factory.generating.chat_settings import Chat, ChatSettings
    from w2s_factory.generating.engines.base import Model
    from w2s_factory.generating.requests import Request, Sampling

_ADAPTER_WAYS = ("auto", "served", "merged")
_OWN = {"model", "enable_lora", "max_lora_rank", "trust_remote_code", "load_format", "disable_log_stats"}


_WAITING = 4096
"""Requests that wait at a replica: more than it computes at a time, so that it never runs dry."""

_INVALID = (ValueError, getattr(exceptions, "VLLMClientError", ValueError))
"""The errors that vLLM raises for a request it refuses; later versions have one of their own."""

_BULK = UsageContext.LLM_CLASS
"""The use for which vLLM chooses batch sizes: throughput, as its `LLM` does, not latency."""


class Vllm:
    """vLLM with any of its own engine arguments.

    vLLM computes together whatever requests it has at the moment, so a repeated run has the same distribution
    of responses, not the same responses. On one device in float32 most of them are the same.

    Args:
        model: The folder or hub name of a base or merged model, and perhaps an adapter.
        adapter: `served` serves a LoRA next to the base model; `merged` first merges an adapter of any kind
            into a copy of the base model, which needs disk space; `auto` serves what vLLM can serve and
            merges the rest. The responses can differ slightly, so the settings of a run say which it was.
        engine_args: Arguments of vLLM's `EngineArgs` by their names there: `tensor_parallel_size`,
            `data_parallel_size`, `dtype`, `gpu_memory_utilization`, `max_model_len` ... All except those in
            `vllm_arguments.NOT_DECIDING` are settings of the run.

    Raises:
        UserError: A folder is missing, or vLLM has no such argument.
    """

    def __init__(self, model: Model, *, adapter: str = "auto", **engine_args: Any) -> None:
        if adapter not in _ADAPTER_WAYS:
            raise UserError(f"expected one of {', '.join(_ADAPTER_WAYS)}", field="adapter")
        _check_arguments(engine_args)
        self.packages = (*metadata.packages_distributions().get("vllm", ["vllm"]), "torch", "transformers")
        self._model, self._engine_args = model, engine_args
        self._folder = model_folder(model.name)
        self._adapter = adapter_folder(model.adapter) if model.adapter else None
        self._rank = rank_served(self._adapter) if self._adapter and adapter != "merged" else None
        if adapter == "served" and self._adapter and self._rank is None:
            raise UserError("vLLM can't serve an adapter of this kind", file=self._adapter, hint="Merge it")

    def start_chat(self, settings: ChatSettings) -> Chat:
        """Return the chat in the template of the model's folder, or of the file that the settings name."""
        return self._tokens.start_chat(settings)

    def settings(self) -> dict[str, Any]:
        """Return the hashes of model and adapter, how they are joined, BOS handling, dtype and arguments."""
        others = deciding({name: value for name, value in self._engine_args.items() if name != "dtype"})
        return {
            "model": content(self._folder),
            "adapter": content(self._adapter) if self._adapter else None,
            "adapter_is": None if self._adapter is None else "served" if self._rank else "merged",
            "bos": self._model.bos,
            "dtype": self._engine_args.get("dtype", "auto"),
            **({"engine_args": others} if others else {}),
        }

    def arguments(self, folder: Path) -> AsyncEngineArgs:
        """Return vLLM's engine arguments for the weights in a folder."""
        lora = {"enable_lora": True, "max_lora_rank": self._rank} if self._rank else {}
        return AsyncEngineArgs(
            model=str(folder),
            load_format="safetensors",
            disable_log_stats=True,
            **lora,
            **self._engine_args,
        )

    def tokens(self, prompt: str) -> list[tuple[int, str]]:
        """Return the tokens of a prompt with their names."""
        return self._tokens.shown(prompt)

    def batches(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Return each request by itself, since vLLM forms its own batches."""
        return [[request] for request in requests]

    def unanswerable(self, requests: Sequence[Request]) -> list[Completion]:
        """Return the failures of prompts that leave no room in the context, which a running vLLM knows."""
        return without_room(requests, self._tokens, self._stream.context)

    def complete(self, batches: Sequence[Sequence[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Complete all requests; yield each completion when it is finished."""
        asked = {
            str(n): request for n, request in enumerate(request for batch in batches for request in batch)
        }
        asks = (self._ask(name, request, sampling) for name, request in asked.items())
        try:
            for output in self._stream.complete(asks):
                if isinstance(output, _Refused):
                    yield Completion.refused(asked[output.name], output.reason)
                else:
                    yield _completion(asked[output.request_id], output)
        except W2SError:
            raise
        except Exception as error:  # vLLM's own errors share no base class
            raise _failure(error) from error

    def close(self) -> None:
        """Stop vLLM's processes and free their memory."""
        stream = self.__dict__.pop("_stream", None)
        if stream is not None:
            stream.close()

    @cached_property
    def _tokens(self) -> Tokens:
        return Tokens(self._folder, self._model.bos)

    @cached_property
    def _stream(self) -> Any:
        if self._adapter is not None:
            check_fits(self._folder, self._adapter)
        if self._adapter is None or self._rank is not None:
            return _opened(self.arguments(self._folder))
        with merged_folder(self._folder, self._adapter) as folder:
            return _opened(self.arguments(folder))

    def _ask(self, name: str, request: Request, sampling: Sampling) -> _Ask:
        ends = [*self._tokens.special(sampling.stop), *self._tokens.turn_ends]
        params = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            presence_penalty=sampling.presence_penalty,
            repetition_penalty=sampling.repetition_penalty,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            stop_token_ids=ends,
            seed=request.draw_seed if sampling.temperature > 0 else None,
            skip_special_tokens=not self._tokens.shows_special,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        return _Ask(name, self._tokens.encode(request.prompt), params, self._lora)

    @property
    def _lora(self) -> LoRARequest | None:
        return LoRARequest("adapter", 1, str(self._adapter)) if self._rank else None


def _failure(error: Exception) -> DelegateError:
    problem = f"vLLM failed ({type(error).__name__}: {first_line(str(error))})"
    return DelegateError(problem, topic="vllm-failed")


def _completion(request: Request, output: Any) -> Completion:
    written = output.outputs[0]
    finish: Finish = "length" if written.finish_reason == "length" else "stop"
    return Completion(request, written.text, finish, len(written.token_ids))


def _check_arguments(arguments: Mapping[str, Any]) -> None:
    known = {field.name for field in dataclasses.fields(AsyncEngineArgs)} - _OWN
    for name in arguments:
        if name not in known:
            hint = did_you_mean(name, known) or "vLLM's engine arguments are in its documentation"
            raise UserError(f'engine vllm has no option "{name}"', hint=hint)


class _Ask(NamedTuple):
    """A request as vLLM takes it."""

    name: str
    tokens: list[int]
    params: SamplingParams
    lora: LoRARequest | None


class _Refused(NamedTuple):
    """A request that vLLM refuses."""

    name: str
    reason: str


class _Stream(Protocol):
    """A running vLLM.

    Attributes:
        context: The number of tokens that prompt and response may have together.
    """

    context: int

    def complete(self, asks: Iterator[_Ask]) -> Iterator[RequestOutput | _Refused]:
        """Complete the requests; yield the output of each when it is finished."""
        ...

    def close(self) -> None:
        """Stop vLLM."""
        ...


def _opened(arguments: AsyncEngineArgs) -> _Stream:
    """Start vLLM: its plain engine for one replica, its asynchronous engine for several."""
    return _Stepwise(arguments) if arguments.data_parallel_size == 1 else _Replicas(arguments)


class _Stepwise:
    """One replica, stepped here as `LLM.generate` does it, except that each response is given at once."""

    def __init__(self, arguments: AsyncEngineArgs) -> None:
        self._engine = LLMEngine.from_engine_args(arguments, usage_context=_BULK)
        self.context: int = self._engine.model_config.max_model_len

    def complete(self, asks: Iterator[_Ask]) -> Iterator[RequestOutput | _Refused]:
        waiting = 0
        while True:
            new = list(islice(asks, _WAITING - waiting))
            for ask in new:
                try:
                    self._engine.add_request(ask.name, _prompt(ask), ask.params, lora_request=ask.lora)
                    waiting += 1
                except _INVALID as error:
                    yield _Refused(ask.name, first_line(str(error)))
            if not waiting and not new:
                return
            for output in self._engine.step() if waiting else ():
                if output.finished:
                    waiting -= 1
                    yield output

    def close(self) -> None:
        self._engine.engine_core.shutdown()


class _Replicas:
    """Several replicas, among which vLLM distributes the requests."""

    def __init__(self, arguments: AsyncEngineArgs) -> None:
        self._runner = asyncio.Runner()
        self._replicas = arguments.data_parallel_size
        self._engine = self._runner.run(_started(arguments))
        self.context: int = self._engine.model_config.max_model_len

    def complete(self, asks: Iterator[_Ask]) -> Iterator[RequestOutput | _Refused]:
        return by_tasks(self._runner, map(self._output_of, asks), _WAITING * self._replicas)

    def close(self) -> None:
        self._engine.shutdown()
        self._runner.close()

    async def _output_of(self, ask: _Ask) -> RequestOutput | _Refused:
        outputs = self._engine.generate(_prompt(ask), ask.params, ask.name, lora_request=ask.lora)
        try:
            return [output async for output in outputs][-1]
        except _INVALID as error:
            return _Refused(ask.name, first_line(str(error)))


def _prompt(ask: _Ask) -> Any:
    return {"type": "token", "prompt_token_ids": ask.tokens}


async def _started(arguments: AsyncEngineArgs) -> AsyncLLM:
    """Start the asynchronous engine within the loop, so that its tasks run in it."""
    return AsyncLLM.from_engine_args(arguments, usage_context=_BULK)
