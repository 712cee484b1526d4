"""Resuming an interrupted training from its last checkpoint, if its settings and its inputs are the same."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory import records
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.trackers import REPORT_TO, RUN_NAME
from w2s_factory.records import Outputs, content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from w2s_factory.llamafactory.training_config import Config

RECORD: Final = "resume.json"
"""The file in the output folder that says from what its checkpoints come."""

_CHECKPOINT: Final = re.compile(r"checkpoint-(\d+)")

_STATE: Final = "trainer_state.json"
"""The last file that transformers (5.6) writes into a checkpoint."""

_LEFT_OUT: Final = ("overwrite_output_dir", "resume_from_checkpoint")
_TRACKERS: Final = (REPORT_TO, RUN_NAME)
"""Arguments that records hold, and that decide no weights: a training is resumed when they have changed."""

_PROCESSES: Final = ("FORCE_TORCHRUN", "NNODES", "NPROC_PER_NODE", "USE_RAY", "CUDA_VISIBLE_DEVICES")
"""Variables that decide over how many processes the rows are spread, and so their order."""


def from_checkpoint(config: Config, asked: Config, data: Iterable[Path], **further: str | None) -> Config:
    """Return the configuration that resumes an interrupted training; the same one if there is none.

    The output folder's record is compared with this training: its arguments, the content of its data, the
    files of its model and adapters by size and time stamp, and further facts. If they differ, the
    checkpoints are of another training: they are removed, and the record is written anew.

    Args:
        config: The configuration to start.
        asked: The configuration as the user wrote it.
        data: The files of the datasets.
        further: Further facts that decide the weights, such as LLaMA-Factory's version.

    Raises:
        UserError: The configuration keeps no state that can be resumed, or a file cannot be read or written.
    """
    if asked.values.get("save_only_model"):
        raise asked.wrong("save_only_model", "expected false, since --resume needs the optimizer's state")
    folder = Path(asked.values["output_dir"])
    ours = json.dumps(_described(asked, data) | further, indent=1, sort_keys=True, default=str) + "\n"
    if _text(folder / RECORD) == ours or _untracked(_text(folder / RECORD)) == _untracked(ours):
        found = last_checkpoint(folder)
        return config if found is None else config.with_overrides(f"resume_from_checkpoint={found}")
    if os.environ.get("NODE_RANK", "0") == "0":
        for checkpoint in _checkpoints(folder).values():
            try:
                shutil.rmtree(checkpoint)
            except OSError as error:
                raise UserError(f"cannot be removed ({error.strerror})", file=checkpoint) from None
        with Outputs(force=True) as outputs:
            outputs.text(folder / RECORD, ours)
    return config


def resumed_from(config: Config) -> str | None:
    """Return the name of the checkpoint from which a training is resumed; None if it starts over."""
    checkpoint = config.overriding.get("resume_from_checkpoint")
    return Path(checkpoint).name if isinstance(checkpoint, str) else None


def last_checkpoint(folder: Path) -> Path | None:
    """Return the last complete checkpoint of a training; None if it has none."""
    found = _checkpoints(folder)
    return next(
        (found[step] for step in sorted(found, reverse=True) if _is_complete(found[step], step)), None
    )


def _checkpoints(folder: Path) -> dict[int, Path]:
    matches = ((_CHECKPOINT.fullmatch(path.name), path) for path in folder.glob("checkpoint-*"))
    return {int(match[1]): path for match, path in matches if match and path.is_dir()}


def _is_complete(checkpoint: Path, step: int) -> bool:
    try:
        return records.read_object(checkpoint / _STATE).get("global_step") == step
    except UserError:
        return False


def _described(asked: Config, data: Iterable[Path]) -> dict[str, Any]:
    """Return what decides the weights of a training."""
    values = {key: value for key, value in asked.values.items() if key not in _LEFT_OUT}
    models = [values.get("model_name_or_path"), *asked.names("adapter_name_or_path")]
    return {
        "config": values,
        "data": {str(file): content_hash(file) for file in data if file.is_file()},
        "models": {str(model): _files(Path(str(model))) for model in models if model},
        "processes": {name: os.environ[name] for name in _PROCESSES if name in os.environ},
    }


def _untracked(record: str) -> dict[str, Any] | None:
    """Return a record without the arguments of trackers; None if it cannot be read."""
    try:
        said: dict[str, Any] = json.loads(record)
        config = {key: value for key, value in said["config"].items() if key not in _TRACKERS}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return said | {"config": config}


def _files(model: Path) -> list[tuple[str, int, int]]:
    """Return the files of a model's folder with sizes and time stamps; none for a model on the hub."""
    files = sorted(path for path in model.glob("*") if path.is_file()) if model.is_dir() else []
    stats = ((path, path.stat()) for path in files if path.name != "manifest.jsonl")
    return [(path.name, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError:
        return ""
