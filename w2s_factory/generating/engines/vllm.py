"""The engine `vllm`, in process: tensor and data parallel, every response given as it finishes.

Three parts: adapters that vLLM serves or that are merged into a copy; the engine arguments that decide
responses; and the two ways to feed vLLM, step by step on one replica or asynchronously on several.
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import os
import shutil
import tempfile
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # results alone go to stdout

from peft import PeftModel
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.llm_engine import LLMEngine

from w2s_factory.errors import DelegateError, UserError, W2SError
from w2s_factory.generating.engines.concurrency import by_tasks
from w2s_factory.generating.engines.model_folders import adapter_folder, beside_weights, content, model_folder
from w2s_factory.generating.engines.tokens import Tokens
from w2s_factory.generating.engines.weights import check_fits, load
from w2s_factory.generating.requests import Completion, Finish
from w2s_factory.records import read_object
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vllm import RequestOutput

    from w2s_factory.generating.engines.base import Model
    from w2s_factory.generating.requests import Request, Sampling

_NOT_SERVED = ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "trainable_token_indices")
_SERVED_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)


def rank_served(adapter: Path) -> int | None:
    """The `max_lora_rank` with which vLLM serves an adapter; None if it is no plain LoRA."""
    config = read_object(adapter / "adapter_config.json")
    plain = config.get("peft_type") == "LORA" and config.get("bias", "none") == "none"
    own = config.get("r")
    if not plain or type(own) is not int or any(config.get(key) for key in _NOT_SERVED):
        return None
    return next((rank for rank in _SERVED_RANKS if own <= rank), None)


@contextmanager
def merged_folder(folder: Path, adapter: Path) -> Iterator[Path]:
    """A copy of a model with an adapter merged in, for as long as the block runs.

    Raises:
        UserError: The adapter is not for this model, or of a kind that can't be merged.
    """
    merged = load(folder, adapter, "auto", "cpu")
    if isinstance(merged, PeftModel):
        raise UserError("an adapter of this kind can't be merged, as vLLM needs it", file=adapter)
    with tempfile.TemporaryDirectory(prefix="w2s-merged-") as name:
        merged.save_pretrained(name)
        for file in beside_weights(folder):  # an index of the base's shards would point to weights not there
            if not Path(name, file.name).exists():
                shutil.copy(file, name)
        yield Path(name)


NOT_DECIDING = frozenset(
    {
        # on how many devices, and how they are told
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "data_parallel_size",
        "data_parallel_size_local",
        "data_parallel_backend",
        "distributed_executor_backend",
        "max_parallel_loading_workers",
        # in how much memory, and how many requests at a time
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "cpu_offload_gb",
        "max_num_seqs",
        "max_num_batched_tokens",
        # how quickly, and what is shown
        "enforce_eager",
        "use_tqdm_on_load",
        # from where: the weights' content is in the settings, and a token is not to be written down
        "download_dir",
        "hf_token",
    }
)
"""Arguments under which a model writes the same, but for the last bits of a score. All others count."""


def deciding(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those arguments that can decide a text, as plain values that a journal gives back as they were."""
    return {name: _plain(value) for name, value in sorted(arguments.items()) if name not in NOT_DECIDING}


def _plain(value: Any) -> Any:
    """A value as JSON has it; of what it has not, the text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


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


ADAPTER_WAYS = ("auto", "served", "merged")
_OWN = {"model", "enable_lora", "max_lora_rank", "trust_remote_code", "load_format", "disable_log_stats"}


class Vllm:
    """vLLM with any of its own engine arguments.

    vLLM computes together whatever it has at the moment, so texts repeat in the statistical sense only;
    on one device in float32 they mostly repeat letter by letter.

    Args:
        model: A folder or hub name, base or merged, and perhaps an adapter.
        adapter: `served` puts a LoRA beside the base, `merged` merges an adapter of any kind into a copy of
            it first (which needs room for the copy); `auto` serves what vLLM can serve. Texts of the two
            ways can differ slightly, so it is recorded.
        engine_args: Of vLLM's `EngineArgs`, by their own names: `tensor_parallel_size`,
            `data_parallel_size`, `dtype`, `gpu_memory_utilization`, `max_model_len` ... All but those of
            `NOT_DECIDING` are settings of the run.

    Raises:
        UserError: A folder is missing, or vLLM has no such argument.
    """

    def __init__(self, model: Model, *, adapter: str = "auto", **engine_args: Any) -> None:
        if adapter not in ADAPTER_WAYS:
            raise UserError(f"expected one of {', '.join(ADAPTER_WAYS)}", field="adapter")
        _check_arguments(engine_args)
        self.packages = (*metadata.packages_distributions().get("vllm", ["vllm"]), "torch", "transformers")
        self._model, self._engine_args = model, engine_args
        self._folder = model_folder(model.name)
        self._adapter = adapter_folder(model.adapter) if model.adapter else None
        self._rank = rank_served(self._adapter) if self._adapter and adapter != "merged" else None
        if adapter == "served" and self._adapter and self._rank is None:
            raise UserError("vLLM can't serve an adapter of this kind", file=self._adapter, hint="Merge it")

    def settings(self) -> dict[str, Any]:
        """The model's and adapter's content and how they are joined, BOS handling, precision, arguments."""
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
        """VLLM's engine arguments for weights in `folder`."""
        lora = {"enable_lora": True, "max_lora_rank": self._rank} if self._rank else {}
        return AsyncEngineArgs(
            model=str(folder),
            load_format="safetensors",
            disable_log_stats=True,
            **lora,
            **self._engine_args,
        )

    def tokens(self, prompt: str) -> list[tuple[int, str]]:
        """The tokens of a prompt."""
        return self._tokens.shown(prompt)

    def batches(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Each request for itself: vLLM makes up its batches as it goes."""
        return [[request] for request in requests]

    def complete(self, batches: Sequence[Sequence[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Complete all requests, each given when it is finished."""
        asked = {
            str(n): request for n, request in enumerate(request for batch in batches for request in batch)
        }
        asks = (self._ask(name, request, sampling) for name, request in asked.items())
        try:
            for output in self._stream.complete(asks):
                yield _completion(asked[output.request_id], output)
        except W2SError:
            raise
        except Exception as error:  # vLLM's own errors share no base class
            raise _failure(error) from error

    def close(self) -> None:
        """Stop vLLM's processes and free its memory."""
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
            return open_stream(self.arguments(self._folder))
        with merged_folder(self._folder, self._adapter) as folder:
            return open_stream(self.arguments(folder))

    def _ask(self, name: str, request: Request, sampling: Sampling) -> Ask:
        ends = self._tokens.special(sampling.stop)
        params = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            stop_token_ids=ends,
            seed=request.draw_seed if sampling.temperature > 0 else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        return Ask(name, self._tokens.encode(request.prompt), params, self._lora)

    @property
    def _lora(self) -> LoRARequest | None:
        return LoRARequest("adapter", 1, str(self._adapter)) if self._rank else None


def _failure(error: Exception) -> DelegateError:
    return DelegateError(f"vLLM failed ({type(error).__name__}: {first_line(str(error))})")


def _completion(request: Request, output: Any) -> Completion:
    written = output.outputs[0]
    finish: Finish = "length" if written.finish_reason == "length" else "stop"
    return Completion(request, written.text, finish, len(written.token_ids))


def _check_arguments(arguments: Mapping[str, Any]) -> None:
    known = {field.name for field in dataclasses.fields(AsyncEngineArgs)} - _OWN
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = (
                f'Did you mean "{near[0]}"?' if near else "vLLM's engine arguments are in its documentation"
            )
            raise UserError(f'engine vllm has no option "{name}"', hint=hint)
