"""The engine `vllm`, in process: tensor and data parallel, every response given as it finishes."""

from __future__ import annotations

import dataclasses
import difflib
import os
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # results alone go to stdout

from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind

from w2s_factory.errors import DelegateError, UserError, W2SError
from w2s_factory.generating.engines.folders import adapter_folder, content, model_folder
from w2s_factory.generating.engines.merging import merged_folder, rank_served
from w2s_factory.generating.engines.tokens import Tokens
from w2s_factory.generating.engines.vllm_settings import deciding
from w2s_factory.generating.engines.vllm_streams import Ask, open_stream
from w2s_factory.generating.engines.weights import check_fits
from w2s_factory.generating.requests import Completion, Finish
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from w2s_factory.generating.engines.base import Model
    from w2s_factory.generating.requests import Request, Sampling

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
            `vllm_settings.NOT_DECIDING` are settings of the run.

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
