"""vLLM's engine arguments: those that decide responses, and the rank under which it serves an adapter.

This module does not import vLLM, so its rules can be tested where vLLM is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NOT_SERVED = ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "trainable_token_indices")
_SERVED_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)

NOT_DECIDING = frozenset(
    {
        # the number of devices, and how work is spread over them
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "data_parallel_size",
        "data_parallel_size_local",
        "data_parallel_backend",
        "distributed_executor_backend",
        "max_parallel_loading_workers",
        # memory, and the number of requests at a time
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "cpu_offload_gb",
        "max_num_seqs",
        "max_num_batched_tokens",
        # speed, and what is shown
        "enforce_eager",
        "use_tqdm_on_load",
        # the source: the weights' content is in the settings, and a token must not be written down
        "download_dir",
        "hf_token",
    }
)
"""Arguments that change nothing but the last bits of scores. All others are settings of a run."""


def deciding(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that can decide a text, as plain values that survive being written as JSON."""
    return {name: _plain(value) for name, value in sorted(arguments.items()) if name not in NOT_DECIDING}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; a value of another type as text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def rank_served(adapter: Path) -> int | None:
    """Return the `max_lora_rank` with which vLLM serves an adapter; None if it is not a plain LoRA."""
    config = read_object(adapter / "adapter_config.json")
    plain = config.get("peft_type") == "LORA" and config.get("bias", "none") == "none"
    own = config.get("r")
    if not plain or type(own) is not int or any(config.get(key) for key in _NOT_SERVED):
        return None
    return next((rank for rank in _SERVED_RANKS if own <= rank), None)
