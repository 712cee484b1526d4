"""Loading a model's weights with transformers, and an adapter of any kind onto them with peft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from w2s_factory.errors import UserError
from w2s_factory.terminal import first_line, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    if adapter is not None:
        check_fits(folder, adapter)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # there is one of responses
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, device_map=device, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:  # broken files make the libraries raise anything
        raise UserError(f"the model cannot be loaded ({_reason(error)})", file=folder) from error
    if adapter is not None:
        model = _adapted(model, adapter)
    return model.eval()


def default_dtype(device: str) -> torch.dtype:
    """bfloat16 on a GPU that computes in it, else float32, which a CPU does faster."""
    on_gpu = device.startswith(("auto", "cuda")) and torch.cuda.is_available()
    return torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported() else torch.float32


def learns_prompts(adapter: Path) -> bool:
    """Whether an adapter is a prompt or prefix that was learned, not a change of the weights.

    Raises:
        UserError: It can't be read.
    """
    return bool(_config(adapter).is_prompt_learning)


def check_fits(folder: Path, adapter: Path) -> None:
    """Whether an adapter is for a model, by the names and shapes of its tensors; no weights are loaded.

    Raises:
        UserError: It is for another.
    """
    from peft import get_peft_model, get_peft_model_state_dict  # noqa: PLC0415  only for adapters

    config, found = _config(adapter), _shapes(adapter)
    config.base_model_name_or_path = str(folder)  # wherever it lay when the adapter was trained
    config.init_lora_weights = config.init_weights = False  # there are no weights to begin from
    try:
        with torch.device("meta"):
            base = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            model = AutoModelForCausalLM.from_config(base)  # type: ignore[no-untyped-call]
            own = set(model.state_dict())
            adapted: Any = get_peft_model(model, config)
        expected = {name: list(tensor.shape) for name, tensor in get_peft_model_state_dict(adapted).items()}  # type: ignore[no-untyped-call]
    except Exception as error:  # as above
        raise UserError(f"does not fit the model {folder} ({_reason(error)})", file=adapter) from error
    for problem in _misfits(expected, found, own):
        raise UserError(f"does not fit the model {folder} ({problem})", file=adapter)


def _misfits(expected: dict[str, list[int]], found: dict[str, list[int]], own: set[str]) -> Iterator[str]:
    """What is missing, has no place or another shape; whole tensors of the base may be in an adapter."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"it lacks {name}"
        elif name not in expected and name.removeprefix("base_model.model.") not in own:
            yield f"the model has no place for {name}"
        elif name in expected and expected[name] != found[name]:
            yield f"{name} is {found[name]}, the model wants {expected[name]}"


def _config(adapter: Path) -> Any:
    """What peft reads of an adapter's configuration."""
    from peft import PeftConfig  # noqa: PLC0415  only for adapters

    try:
        config = PeftConfig.from_pretrained(str(adapter))
    except KeyError as error:
        raise UserError(f"is an adapter of a kind that peft does not know, {error}", file=adapter) from None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"is no adapter that peft can read ({_reason(error)})", file=adapter) from None
    if config.peft_type is None:
        raise UserError("does not say what kind of adapter it is", file=adapter / "adapter_config.json")
    return config


def _shapes(adapter: Path) -> dict[str, list[int]]:
    from safetensors import safe_open  # noqa: PLC0415  only for adapters

    file = adapter / "adapter_model.safetensors"
    if not file.is_file():
        hint = "Only safetensors are read: save it again with peft's safe_serialization=True"
        pickled = (adapter / "adapter_model.bin").is_file()
        raise UserError("holds no adapter_model.safetensors", file=adapter, hint=hint if pickled else None)
    try:
        with safe_open(file, framework="pt") as tensors:
            return {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118  no dict
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot be read ({_reason(error)})", file=file) from None


def _adapted(model: Any, adapter: Path) -> Any:
    """The adapter merged into the weights; prompts and prefixes that were learned stay beside them."""
    from peft import PeftModel  # noqa: PLC0415  only for adapters

    adapted: Any = PeftModel.from_pretrained(model, adapter)
    if adapted.active_peft_config.is_prompt_learning:
        return adapted
    try:
        return adapted.merge_and_unload()
    except (NotImplementedError, AttributeError):  # peft's way to say that this kind can't be merged
        return adapted


def _reason(error: Exception) -> str:
    if isinstance(error, (KeyError, TypeError, AttributeError)):  # their texts alone say little
        return shortened(f"{type(error).__name__}: {error}")
    return first_line(str(error)) or type(error).__name__
