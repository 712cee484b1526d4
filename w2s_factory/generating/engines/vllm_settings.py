"""Which of vLLM's engine arguments belong to the settings under which a run may be continued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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
