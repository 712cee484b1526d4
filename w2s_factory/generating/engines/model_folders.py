"""Folders of models and adapters: finding them, and hashing their content."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.model_names import is_path
from w2s_factory.packages import missing_extra
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.generating.engines.base import Model

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
_CONFIG_AND_TOKENIZER = (
    "*config.json",
    "tokenizer*",
    "*.model",
    "vocab*",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)
_DECIDING = (*_WEIGHTS, *_CONFIG_AND_TOKENIZER)
"""The files that decide responses; training logs and model cards do not.

The chat template is not among them: the settings of a run hold its hash only where it is used.
"""

_FETCHED = (*_DECIDING, "chat_template.jinja")

_WHOLE = 64 * 2**20
_PROBES, _PROBE = 256, 4096


def model_folder(name: str) -> Path:
    """Return the folder of a model, fetched from the hub if `name` is a hub name and not a folder.

    Raises:
        UserError: There is no such folder or model on the hub, or the folder does not hold a model.
    """
    folder = _folder(name, "model")
    if not (folder / "config.json").is_file():
        is_adapter = (folder / "adapter_config.json").is_file()
        hint = "It is an adapter: name it with --adapter, its base with --model" if is_adapter else None
        raise UserError("is not the folder of a model: it holds no config.json", file=folder, hint=hint)
    return folder


def adapter_folder(name: str) -> Path:
    """Return the folder of an adapter, fetched as by `model_folder`.

    Raises:
        UserError: There is no such folder or adapter on the hub, or the folder does not hold an adapter.
    """
    folder = _folder(name, "adapter")
    if not (folder / "adapter_config.json").is_file():
        raise UserError("is not the folder of an adapter: it holds no adapter_config.json", file=folder)
    return folder


def check_local(model: Model) -> None:
    """Check that the folders of a model and its adapter exist and hold one; names on the hub are not checked.

    Raises:
        UserError: A folder is missing or holds something else.
    """
    if _local(model.name, "model"):
        model_folder(model.name)
    if model.adapter and _local(model.adapter, "adapter"):
        adapter_folder(model.adapter)


def config_and_tokenizer(folder: Path) -> list[Path]:
    """Return the files of a model folder that decide responses and are not weights: config and tokenizer."""
    return _files(folder, _CONFIG_AND_TOKENIZER)


def content(folder: Path) -> str:
    """Return a SHA-256 over the files that decide responses, independent of the folder's path.

    Of files above 64 MiB, which are weights, the size and 256 evenly spaced blocks of 4 KiB are hashed:
    hardly any training leaves all of these unchanged.
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
    """Return the folder of that name; None if it is a name on the hub.

    Raises:
        UserError: The name can only mean a folder, and there is none.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if is_path(name) or not _HUB_NAME.fullmatch(name):
        hint = None if is_path(name) else "A name on the Hugging Face Hub has the form OWNER/NAME"
        raise UserError(f"no such {kind} folder", file=name, hint=hint)
    return None


def _fetched(name: str, kind: str) -> Path:
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415  folders need no hub
        from huggingface_hub.errors import (  # noqa: PLC0415
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
        )
    except ImportError:
        raise missing_extra("hub", "huggingface_hub", needed_by=f"the {kind} {name}") from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(_FETCHED)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        reason = first_line(str(error))
        raise UserError(f'no {kind} "{name}", neither as a folder nor on the hub ({reason})') from None


def _blocks(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    with file.open("rb") as reading:
        if size <= _WHOLE:
            yield reading.read()
            return
        for probe in range(_PROBES):
            reading.seek(probe * (size - _PROBE) // (_PROBES - 1))
            yield reading.read(_PROBE)
