"""Weights that a run leaves: an adapter or a model, in safetensors, written by this run, and loadable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from w2s_factory import records
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.environment import run_inside

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["adapter", "model"]
State: TypeAlias = "Mapping[Path, tuple[int, int, int]]"

_FILES: Mapping[Kind, tuple[str, str]] = {
    "adapter": ("adapter_config.json", "adapter_model.safetensors"),
    "model": ("config.json", "model.safetensors"),
}
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Weights:
    """Weights in a folder.

    Attributes:
        folder: The folder.
        kind: A LoRA `adapter`, or a whole `model`.
        files: Its safetensors files.
        tensors: How many tensors they hold.
        base: The model an adapter is for.
        not_noted: Why no manifest line could be written; None if it was.
    """

    folder: Path
    kind: Kind
    files: tuple[Path, ...]
    tensors: int
    base: str | None = None
    not_noted: str | None = None


def kind_of(finetuning_type: object) -> Kind:
    """What LLaMA-Factory saves for a `finetuning_type` (by default `lora`)."""
    return "model" if finetuning_type in ("full", "freeze") else "adapter"


def weight_files(folder: str | Path, kind: Kind) -> tuple[Path, ...]:
    """The safetensors files of an adapter or a model, sharded or not; none if there is none."""
    single = Path(folder, _FILES[kind][1])
    index = Path(folder, _INDEX)
    if single.is_file():
        return (single,)
    if kind == "adapter" or not index.is_file():
        return ()
    shards = records.read_object(index).get("weight_map", {})
    return tuple(Path(folder, name) for name in sorted(set(shards.values())))


def state(folder: str | Path, kind: Kind) -> State:
    """By which a later look tells whether the weights were written anew: each file's number, time, size."""
    files = [file for file in weight_files(folder, kind) if file.is_file()]
    return {file: (at.st_ino, at.st_mtime_ns, at.st_size) for file in files for at in [file.stat()]}


def check_weights(
    folder: str | Path, kind: Kind, *, before: State, python: Path, base: str | None = None
) -> Weights:
    """Check the weights a run should have left.

    Args:
        folder: Where they should be.
        kind: What they should be.
        before: The `state` of the folder before the run.
        python: LLaMA-Factory's interpreter, which loads them.
        base: The model an adapter must say it is for.

    Raises:
        DelegateError: They are missing, older than the run, can't be loaded, or hold NaN or infinity.
    """
    folder, config = Path(folder), _FILES[kind][0]
    files = weight_files(folder, kind)
    missing = [file.name for file in (folder / config, *files) if not file.is_file()]
    if missing or not files:
        raise DelegateError(f"LLaMA-Factory left no {missing[0] if files else _FILES[kind][1]} in {folder}")
    if any(before.get(file) == now for file, now in state(folder, kind).items()):
        raise DelegateError(f"the weights in {folder} were there before; LLaMA-Factory wrote none")
    base = base if kind == "adapter" else None
    _check_base(folder / config, base)
    return Weights(folder, kind, files, _load(folder, files, python), base)


def _check_base(config: Path, base: str | None) -> None:
    try:
        named = records.read_object(config).get("base_model_name_or_path", base)
    except UserError as error:
        raise DelegateError(f"LLaMA-Factory left what can't be read: {error}") from None
    if base is not None and named != base:
        raise DelegateError(f"the adapter in {config.parent} is for {named}, not for {base}")


def _load(folder: Path, files: tuple[Path, ...], python: Path) -> int:
    try:
        found = run_inside(python, "weights_load.py", arguments=[str(file) for file in files])
    except DelegateError as error:
        raise DelegateError(f"the weights in {folder} can't be loaded: {error.problem}") from None
    if found["tensors"] == 0:
        raise DelegateError(f"the weights in {folder} hold no tensor")
    if found["not_finite"]:
        raise DelegateError(
            f"{len(found['not_finite'])} of {found['tensors']} tensors in {folder} hold NaN or infinity",
            hint="Lower the learning rate, or train in bf16 instead of fp16",
        )
    return int(found["tensors"])
