"""The weights that a training or export leaves, and the check that it wrote them and that they load.

They are an adapter or a model in safetensors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from w2s_factory import records
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.installation import run_inside

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["adapter", "model"]
"""The kind of weights: a LoRA adapter, or a whole model."""

Snapshot: TypeAlias = "Mapping[Path, tuple[int, int, int]]"
"""The inode number, modification time in ns and size in bytes of each file of weights."""

_FILES: Mapping[Kind, tuple[str, str]] = {
    "adapter": ("adapter_config.json", "adapter_model.safetensors"),
    "model": ("config.json", "model.safetensors"),
}
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Weights:
    """Trained weights in a folder.

    Attributes:
        folder: The folder.
        kind: A LoRA `adapter`, or a whole `model`.
        files: Its safetensors files.
        tensors: The number of tensors in them.
        base: The model that an adapter is for; None for a model.
        not_noted: The reason why no line could be added to the manifest; None if it was added.
    """

    folder: Path
    kind: Kind
    files: tuple[Path, ...]
    tensors: int
    base: str | None = None
    not_noted: str | None = None


def kind_of(finetuning_type: object) -> Kind:
    """Return the kind of weights that LLaMA-Factory saves for a `finetuning_type` (by default `lora`)."""
    return "model" if finetuning_type in ("full", "freeze") else "adapter"


def weight_files(folder: str | Path, kind: Kind) -> tuple[Path, ...]:
    """Return the safetensors files of an adapter or a model, sharded or not; none if there are no weights."""
    single = Path(folder, _FILES[kind][1])
    index = Path(folder, _INDEX)
    if single.is_file():
        return (single,)
    if kind == "adapter" or not index.is_file():
        return ()
    shards = records.read_object(index).get("weight_map", {})
    return tuple(Path(folder, name) for name in sorted(set(shards.values())))


_BELONGING = re.compile(
    r".*config\.json|.*\.index\.json|.*\.model|.*\.jinja|chat_template\.json|tokenizer\.json|.*tokens.*\.json"
    r"|vocab\..*|merges\.txt|tekken\.json"
)
"""The names of the files that are read with weights when a model answers or is trained further."""


def belonging(weights: Weights) -> tuple[Path, ...]:
    """Return the files that belong to weights: configs, tokenizer, chat template; no logs of the trainer."""
    files = (path for path in sorted(weights.folder.iterdir()) if path.is_file())
    return tuple(path for path in files if _BELONGING.fullmatch(path.name))


def snapshot(folder: str | Path, kind: Kind) -> Snapshot:
    """Return the state of the files of weights, which shows later whether they were written again."""
    files = [file for file in weight_files(folder, kind) if file.is_file()]
    stats = {file: file.stat() for file in files}
    return {file: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for file, stat in stats.items()}


def check_weights(
    folder: str | Path, kind: Kind, *, before: Snapshot, python: Path, base: str | None = None
) -> Weights:
    """Return the weights that a run should have left, after checking them.

    Args:
        folder: The folder where they should be.
        kind: The kind that they should be.
        before: The `snapshot` of the folder from before the run.
        python: LLaMA-Factory's interpreter, which loads them.
        base: The model that an adapter must be for.

    Raises:
        DelegateError: They are missing, older than the run, cannot be loaded, or contain NaN or infinity.
    """
    folder, config = Path(folder), _FILES[kind][0]
    files = weight_files(folder, kind)
    missing = [file.name for file in (folder / config, *files) if not file.is_file()]
    if missing or not files:
        problem = f"LLaMA-Factory left no {missing[0] if files else _FILES[kind][1]} in {folder}"
        raise DelegateError(problem, topic="no-weights")
    if any(before.get(file) == now for file, now in snapshot(folder, kind).items()):
        problem = f"the weights in {folder} were there before; LLaMA-Factory wrote none"
        raise DelegateError(problem, topic="no-weights")
    base = base if kind == "adapter" else None
    _check_base(folder / config, base)
    return Weights(folder, kind, files, _load(folder, files, python), base)


def _check_base(config: Path, base: str | None) -> None:
    """Refuse an adapter for another model than the base, or one whose config cannot be read."""
    try:
        named = records.read_object(config).get("base_model_name_or_path", base)
    except UserError as error:
        raise DelegateError(f"LLaMA-Factory left a file that cannot be read: {error}") from None
    if base is not None and named != base:
        raise DelegateError(f"the adapter in {config.parent} is for {named}, not for {base}")


def _load(folder: Path, files: tuple[Path, ...], python: Path) -> int:
    """Load the weights in LLaMA-Factory's environment; return the number of tensors.

    Raises:
        DelegateError: They cannot be loaded, or hold no tensor, or NaN or infinity.
    """
    try:
        found = run_inside(python, "weights_load.py", arguments=[str(file) for file in files])
    except DelegateError as error:
        raise DelegateError(f"the weights in {folder} cannot be loaded: {error.problem}") from None
    if found["tensors"] == 0:
        raise DelegateError(f"the weights in {folder} hold no tensor")
    if found["not_finite"]:
        raise DelegateError(
            f"{len(found['not_finite'])} of {found['tensors']} tensors in {folder} contain NaN or infinity",
            hint="Lower the learning rate, or train in bf16 instead of fp16",
        )
    return int(found["tensors"])
