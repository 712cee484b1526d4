"""Loading a model's weights with transformers, and an adapter of any kind onto them with peft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, adapter: Path | None, dtype: torch.dtype | str, device: str) -> Any:
    """The model, ready to generate; an adapter is merged into it where its kind can be.

    Args:
        folder: The base or merged model, in safetensors.
        adapter: What goes on top.
        dtype: Of the weights and the arithmetic; "auto" for the one they are stored in.
        device: Where it runs; "auto" spreads it over all GPUs.

    Raises:
        UserError: It can't be loaded, or the adapter is not for this model.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # there is one of responses
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, device_map=device, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"the model cannot be loaded ({_reason(error)})", file=folder) from None
    if adapter is not None:
        model = _adapted(model, adapter, folder)
    return model.eval()


def default_dtype(device: str) -> torch.dtype:
    """bfloat16 on a GPU that computes in it, else float32, which a CPU does faster."""
    on_gpu = device.startswith(("auto", "cuda")) and torch.cuda.is_available()
    return torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported() else torch.float32


def learns_prompts(adapter: Path) -> bool:
    """Whether an adapter is a prompt or prefix that was learned, not a change of the weights."""
    from peft import PeftConfig  # noqa: PLC0415  only for adapters

    return bool(PeftConfig.from_pretrained(adapter).is_prompt_learning)


def _adapted(model: Any, adapter: Path, base: Path) -> Any:
    from peft import PeftModel, get_peft_model_state_dict  # noqa: PLC0415  only for adapters

    try:
        adapted: Any = PeftModel.from_pretrained(model, adapter)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(f"does not fit the model {base} ({_reason(error)})", file=adapter) from None
    expected = set(get_peft_model_state_dict(adapted))  # type: ignore[no-untyped-call]
    found = _tensor_names(adapter)
    if expected != found:
        odd = min(expected ^ found)
        problem = f"has {odd}, the model has no place for it" if odd in found else f"lacks {odd}"
        raise UserError(f"does not fit the model {base} ({problem})", file=adapter)
    return _merged(adapted)


def _merged(adapted: Any) -> Any:
    """The adapter merged into the weights; prompts and prefixes that were learned stay beside them."""
    if adapted.active_peft_config.is_prompt_learning:
        return adapted
    try:
        return adapted.merge_and_unload()
    except (NotImplementedError, AttributeError):  # peft's way to say that this kind can't be merged
        return adapted


def _tensor_names(adapter: Path) -> set[str]:
    from safetensors import safe_open  # noqa: PLC0415  only for adapters

    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as tensors:
        return set(tensors.keys())


def _reason(error: Exception) -> str:
    """The line of an error that says what is wrong; for mismatched shapes that is the second."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    mismatch = [line for line in lines if line.startswith("size mismatch")]
    return (mismatch or lines or [type(error).__name__])[0]
