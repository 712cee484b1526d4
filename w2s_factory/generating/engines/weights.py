"""Loading a model's weights with transformers, with an adapter of any kind applied to them by peft."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from w2s_factory.errors import UserError
from w2s_factory.generating.engines.model_folders import config_and_tokenizer
from w2s_factory.terminal import first_line, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator


def load(folder: Path, adapter: Path | None, dtype: torch.dtype | str, device: str) -> Any:
    """Return a model, ready to generate; an adapter is merged into it if its kind allows that.

    Args:
        folder: The folder of the base or merged model, in safetensors.
        adapter: The folder of an adapter for it.
        dtype: The type of the weights and the arithmetic; "auto" for the type in which they are stored.
        device: The device on which it runs; "auto" spreads it over all GPUs.

    Raises:
        UserError: The model cannot be loaded, or the adapter is for another model.
    """
    if adapter is not None:
        check_fits(folder, adapter)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # there is one for the responses
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
    """Return bfloat16 for a GPU that computes in it, else float32, in which a CPU is faster."""
    on_gpu = device.startswith(("auto", "cuda")) and torch.cuda.is_available()
    return torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported() else torch.float32


def learns_prompts(adapter: Path) -> bool:
    """Return whether an adapter is a learned prompt or prefix, not a change of the weights.

    Raises:
        UserError: Its configuration cannot be read.
    """
    return bool(_config(adapter).is_prompt_learning)


def check_fits(folder: Path, adapter: Path) -> None:
    """Check that an adapter is for a model, by the names and shapes of its tensors; no weights are loaded.

    Raises:
        UserError: It is for another model.
    """
    from peft import get_peft_model, get_peft_model_state_dict  # noqa: PLC0415  only for adapters

    config, found = _config(adapter), _shapes(adapter)
    config.base_model_name_or_path = str(folder)  # the adapter may have been trained on a copy elsewhere
    config.init_lora_weights = config.init_weights = False  # there are no weights to start from
    try:
        with torch.device("meta"):
            base = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            model = AutoModelForCausalLM.from_config(base)  # type: ignore[no-untyped-call]
            own = set(model.state_dict())
            adapted: Any = get_peft_model(model, config)
        expected = {name: list(tensor.shape) for name, tensor in get_peft_model_state_dict(adapted).items()}  # type: ignore[no-untyped-call]
    except Exception as error:  # broken files make the libraries raise anything
        raise UserError(f"does not fit the model {folder} ({_reason(error)})", file=adapter) from error
    for problem in _misfits(expected, found, own):
        raise UserError(f"does not fit the model {folder} ({problem})", file=adapter)


def _misfits(expected: dict[str, list[int]], found: dict[str, list[int]], own: set[str]) -> Iterator[str]:
    """Yield what is wrong with an adapter's tensors; it may hold whole tensors of the base model, too."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"it lacks {name}"
        elif name not in expected and name.removeprefix("base_model.model.") not in own:
            yield f"the model has no such tensor as {name}"
        elif name in expected and expected[name] != found[name]:
            yield f"expected {name} of shape {expected[name]}, got {found[name]}"


def _config(adapter: Path) -> Any:
    """Return an adapter's configuration as peft reads it."""
    from peft import PeftConfig  # noqa: PLC0415  only for adapters

    try:
        config = PeftConfig.from_pretrained(str(adapter))
    except KeyError as error:
        raise UserError(f"is an adapter of a kind that peft does not know ({error})", file=adapter) from None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"is not an adapter that peft can read ({_reason(error)})", file=adapter) from None
    if config.peft_type is None:
        raise UserError("does not say what kind of adapter it is", file=adapter / "adapter_config.json")
    return config


def _shapes(adapter: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor in an adapter, by name."""
    from safetensors import safe_open  # noqa: PLC0415  only for adapters

    file = adapter / "adapter_model.safetensors"
    if not file.is_file():
        hint = "Only safetensors are read: save it again with peft's safe_serialization=True"
        pickled = (adapter / "adapter_model.bin").is_file()
        raise UserError("holds no adapter_model.safetensors", file=adapter, hint=hint if pickled else None)
    try:
        with safe_open(file, framework="pt") as tensors:
            return {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118  not a dict
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot be read ({_reason(error)})", file=file) from None


def _adapted(model: Any, adapter: Path) -> Any:
    """Return a model with an adapter merged into its weights; learned prompts stay separate."""
    from peft import PeftModel  # noqa: PLC0415  only for adapters

    adapted: Any = PeftModel.from_pretrained(model, adapter)
    if adapted.active_peft_config.is_prompt_learning:
        return adapted
    try:
        return adapted.merge_and_unload()
    except (NotImplementedError, AttributeError):  # raised by peft where this kind cannot be merged
        return adapted


@contextmanager
def merged_folder(folder: Path, adapter: Path) -> Iterator[Path]:
    """Yield a temporary copy of a model with an adapter merged in; it is removed when the block ends.

    Raises:
        UserError: The adapter is for another model, or is of a kind that cannot be merged.
    """
    from peft import PeftModel  # noqa: PLC0415  only for adapters

    merged = load(folder, adapter, "auto", "cpu")
    if isinstance(merged, PeftModel):
        raise UserError("an adapter of this kind can't be merged, as vLLM needs it", file=adapter)
    with tempfile.TemporaryDirectory(prefix="w2s-merged-") as name:
        merged.save_pretrained(name)
        for file in config_and_tokenizer(folder):  # not its weights, nor their index
            if not Path(name, file.name).exists():
                shutil.copy(file, name)
        yield Path(name)


def _reason(error: Exception) -> str:
    """Return the first line of another library's error, with the error's class where the line needs it."""
    if isinstance(error, (KeyError, TypeError, AttributeError)):  # their texts alone say little
        return shortened(f"{type(error).__name__}: {error}")
    return first_line(str(error)) or type(error).__name__
