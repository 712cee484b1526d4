"""Model and adapter folders: where they lie, and what is in them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.model_names import is_path
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.generating.engines.base import Model

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
_BESIDE_WEIGHTS = (
    "*config.json",
    "tokenizer*",
    "*.model",
    "vocab*",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)
_DECIDING = (*_WEIGHTS, *_BESIDE_WEIGHTS)
"""The files that decide what a model writes; training logs and model cards don't."""

_WHOLE = 64 * 2**20
_PROBES, _PROBE = 256, 4096


def model_folder(name: str) -> Path:
    """The folder of a model, fetched from the hub if `name` is a hub name and no folder.

    Raises:
        UserError: There is none, or it holds no model.
    """
    folder = _folder(name, "model")
    if not (folder / "config.json").is_file():
        is_adapter = (folder / "adapter_config.json").is_file()
        hint = "It is an adapter: name its base with --model, it with --adapter" if is_adapter else None
        raise UserError("holds no config.json, so it is no model folder", file=folder, hint=hint)
    return folder


def adapter_folder(name: str) -> Path:
    """The folder of an adapter, as `model_folder`."""
    folder = _folder(name, "adapter")
    if not (folder / "adapter_config.json").is_file():
        raise UserError("holds no adapter_config.json, so it is no adapter folder", file=folder)
    return folder


def check_local(model: Model) -> None:
    """Refuse a model or adapter folder that is missing or holds something else; hub names are let through.

    Raises:
        UserError: As `model_folder`, but nothing is fetched.
    """
    if _local(model.name, "model"):
        model_folder(model.name)
    if model.adapter and _local(model.adapter, "adapter"):
        adapter_folder(model.adapter)


def beside_weights(folder: Path) -> list[Path]:
    """The files of a model folder that decide what it writes and are not weights: config and tokenizer."""
    return _files(folder, _BESIDE_WEIGHTS)


def content(folder: Path) -> str:
    """A SHA-256 over the files that decide what the model writes, wherever the folder lies.

    Files of more than 64 MiB, weights, enter with their size and 256 evenly spaced blocks of 4 KiB: what
    another training leaves unchanged in every one of them is next to nothing.
    """
    digest = hashlib.sha256()
    for file in _files(folder, _DECIDING):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        for block in _blocks(file):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})


def _folder(name: str, kind: str) -> Path:
    return _local(name, kind) or _fetched(name, kind)


def _local(name: str, kind: str) -> Path | None:
    """The folder of that name; None where it is a name on the hub."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if is_path(name) or not _HUB_NAME.fullmatch(name):
        raise UserError(f"no such {kind} folder", file=name)
    return None


def _fetched(name: str, kind: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415  folders need no hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(name, allow_patterns=list(_DECIDING)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        reason = first_line(str(error))
        raise UserError(f'no {kind} folder "{name}", and the hub gives none ({reason})') from None


def _blocks(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    with file.open("rb") as reading:
        if size <= _WHOLE:
            yield reading.read()
            return
        for probe in range(_PROBES):
            reading.seek(probe * (size - _PROBE) // (_PROBES - 1))
            yield reading.read(_PROBE)
