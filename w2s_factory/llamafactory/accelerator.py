"""Trainings that need a GPU where there is none: refused before LLaMA-Factory spends a minute to find out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import DelegateError
from w2s_factory.llamafactory.environment import run_inside
from w2s_factory.llamafactory.settings import as_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from w2s_factory.llamafactory.training_config import Config


_TRUE: Final = ("true", "yes", "y", "on", "t", "1")
"""Texts that transformers or OmegaConf takes for true, in any case."""


def _is_set(value: Any) -> bool:
    return value not in (None, False)


def _is_true(value: Any) -> bool:
    """Return whether a value is true as transformers and OmegaConf read it, in quotes too."""
    return value is True or str(value).strip().lower() in _TRUE


GPU_ONLY: Final[Mapping[str, Callable[[Any], bool]]] = {
    "bf16": _is_true,
    "fp16": _is_true,
    "pure_bf16": _is_true,
    "bf16_full_eval": _is_true,
    "fp16_full_eval": _is_true,
    "tf32": _is_true,
    "quantization_bit": _is_set,
    "deepspeed": _is_set,
    "use_unsloth": _is_true,
}
"""Arguments that end a training where torch sees no accelerator, each with the values that do."""

_ALSO_ON_CPU: Final = ("bf16", "bf16_full_eval")
"""Those that a CPU takes as well once it is chosen (`use_cpu`)."""


def gpu_only(values: Mapping[str, Any]) -> str | None:
    """Return the first argument of a training that needs a GPU; None if it has none."""
    on_cpu = _is_true(values.get("use_cpu")) or _is_true(values.get("no_cuda"))
    for key, ends in GPU_ONLY.items():
        if ends(values.get(key)) and not (on_cpu and key in _ALSO_ON_CPU):
            return key
    return None


def check_accelerator(config: Config, python: Path) -> None:
    """Refuse a training that needs a GPU where torch sees none.

    torch is asked, which takes seconds, only if the training needs a GPU; and not where Ray trains, since
    its workers are on other machines.

    Args:
        config: The training configuration.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: There is no GPU; names the argument that needs one, and what to do.
        DelegateError: torch cannot be imported there.
    """
    key = gpu_only(config.values)
    if key is None or os.environ.get("USE_RAY", "").lower() in ("1", "true", "y"):
        return
    try:
        devices = run_inside(python, "imports_work.py", arguments=["torch"])["devices"]
    except DelegateError as error:
        problem = f"torch cannot be imported by {python} ({error.problem})"
        raise DelegateError(problem, hint="See w2s-factory doctor") from None
    if not devices:
        raise config.wrong(
            key,
            f"{as_yaml(config.values[key])} needs a GPU, and torch sees none here",
            "Make the YAML with make-config --cpu, or set use_cpu=true and what needs one to false",
        )
