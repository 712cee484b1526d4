"""Adapters for vLLM: which it can serve beside the base, and a merged copy for those it can't."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from peft import PeftModel

from w2s_factory.errors import UserError
from w2s_factory.generating.engines.folders import beside_weights
from w2s_factory.generating.engines.weights import load
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator

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
