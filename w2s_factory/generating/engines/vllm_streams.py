"""The two ways to keep vLLM fed: step by step on one replica, through its asynchronous engine on several."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.llm_engine import LLMEngine

from w2s_factory.generating.engines.concurrency import by_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm import RequestOutput, SamplingParams
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.lora.request import LoRARequest

WAITING = 4096
"""Requests a replica has at hand: more than it computes at a time, so that it never runs dry."""

BULK = UsageContext.LLM_CLASS
"""Tells vLLM to choose batch sizes for throughput, as its `LLM` does, not for latency."""


class Ask(NamedTuple):
    """A request in vLLM's terms."""

    name: str
    tokens: list[int]
    params: SamplingParams
    lora: LoRARequest | None


class Stream(Protocol):
    """A running vLLM."""

    def complete(self, asks: Iterator[Ask]) -> Iterator[RequestOutput]:
        """Finished requests as they finish."""
        ...

    def close(self) -> None:
        """Stop it."""
        ...


def open_stream(arguments: AsyncEngineArgs) -> Stream:
    """Start vLLM: its plain engine, which knows one replica only, or its asynchronous one for several."""
    return _Stepwise(arguments) if arguments.data_parallel_size == 1 else _Replicas(arguments)


class _Stepwise:
    """One replica, stepped by hand; what `LLM.generate` does, but for handing out responses at once."""

    def __init__(self, arguments: AsyncEngineArgs) -> None:
        self._engine = LLMEngine.from_engine_args(arguments, usage_context=BULK)

    def complete(self, asks: Iterator[Ask]) -> Iterator[RequestOutput]:
        waiting = 0
        while True:
            for ask in islice(asks, WAITING - waiting):
                self._engine.add_request(ask.name, _prompt(ask), ask.params, lora_request=ask.lora)
                waiting += 1
            if not waiting:
                return
            for output in self._engine.step():
                if output.finished:
                    waiting -= 1
                    yield output

    def close(self) -> None:
        self._engine.engine_core.shutdown()


class _Replicas:
    """Several replicas, between which vLLM spreads the requests itself."""

    def __init__(self, arguments: AsyncEngineArgs) -> None:
        self._runner = asyncio.Runner()
        self._replicas = arguments.data_parallel_size
        self._engine = self._runner.run(_started(arguments))

    def complete(self, asks: Iterator[Ask]) -> Iterator[RequestOutput]:
        return by_tasks(self._runner, map(self._one, asks), WAITING * self._replicas)

    def close(self) -> None:
        self._engine.shutdown()
        self._runner.close()

    async def _one(self, ask: Ask) -> RequestOutput:
        outputs = self._engine.generate(_prompt(ask), ask.params, ask.name, lora_request=ask.lora)
        return [output async for output in outputs][-1]


def _prompt(ask: Ask) -> Any:
    return {"type": "token", "prompt_token_ids": ask.tokens}


async def _started(arguments: AsyncEngineArgs) -> AsyncLLM:
    """Made within the loop, so that the engine's own tasks run in it."""
    return AsyncLLM.from_engine_args(arguments, usage_context=BULK)
