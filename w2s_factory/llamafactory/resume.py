"""Resuming an interrupted training from its last checkpoint, if its settings and its inputs are the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.checkpoints import checkpoints, damage, remove
from w2s_factory.llamafactory.trackers import REPORT_TO, RUN_NAME
from w2s_factory.records import Outputs, content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from w2s_factory.llamafactory.training_config import Config

RECORD: Final = "resume.json"
"""The file in the output folder that says from what its checkpoints come."""

TOGETHER: Final = "W2S_FACTORY_ONE_CHECKPOINT"
"""The environment variable with which all processes of a training resume as its first one does."""

_LEFT_OUT: Final = ("overwrite_output_dir", "resume_from_checkpoint")
_TRACKERS: Final = (REPORT_TO, RUN_NAME)
"""Arguments that records hold, and that decide no weights: a training is resumed when they have changed."""


def from_checkpoint(
    config: Config,
    asked: Config,
    data: Iterable[Path],
    spread: Mapping[str, Any],
    say: Callable[[str], None],
    **further: str | None,
) -> Config:
    """Return the configuration that resumes an interrupted training; the same one if there is none.

    The output folder's record is compared with this training: its arguments, the content of its data, the
    files of its model and adapters by size and time stamp, and further facts. If they differ, the
    checkpoints are of another training: they are removed, and a new record is written. Checkpoints that
    are incomplete or damaged are removed, too, since transformers counts them among those to keep.

    Of several machines the first one alone decides; see `together`.

    Args:
        config: The configuration to start.
        asked: The configuration as the user wrote it.
        data: The files of the datasets.
        spread: How the rows are spread, and so their order: the engine and the number of `devices`.
        say: Called with a line for each checkpoint that is incomplete or damaged.
        further: Further facts that decide the weights, such as LLaMA-Factory's version.

    Raises:
        UserError: The configuration keeps no state that can be resumed; or torchrun numbers the machines, so
            that none can decide alone; or a file cannot be read or written.
    """
    if asked.values.get("save_only_model"):
        raise asked.wrong("save_only_model", "expected false, since --resume needs the optimizer's state")
    if "RDZV_ID" in os.environ:
        problem = "is set, but --resume needs a first machine, which alone chooses the checkpoint"
        hint = "Number the machines by NODE_RANK, without RDZV_ID"
        raise UserError(problem, field="RDZV_ID", hint=hint)
    if os.environ.get("NODE_RANK", "0") != "0":
        return config
    folder = Path(asked.values["output_dir"])
    ours = json.dumps(_described(asked, data, spread) | further, indent=1, sort_keys=True, default=str) + "\n"
    if _text(folder / RECORD) == ours or _untracked(_text(folder / RECORD)) == _untracked(ours):
        found = _last_whole(folder, spread["devices"], say)
        return config if found is None else config.with_overrides(f"resume_from_checkpoint={found}")
    for checkpoint in checkpoints(folder).values():
        remove(checkpoint)
    with Outputs(force=True) as outputs:
        outputs.text(folder / RECORD, ours)
    return config


def together(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which the processes of several machines resume from the same checkpoint.

    `startup/w2s_resume_hook.py` hands the choice of the first process to the others when all have started.
    """
    return {} if environ.get("NNODES", "1") == "1" else {TOGETHER: "1"}


def resumed_from(config: Config) -> str | None:
    """Return the name of the checkpoint from which a training is resumed; None if it starts over."""
    checkpoint = config.overriding.get("resume_from_checkpoint")
    return Path(checkpoint).name if isinstance(checkpoint, str) else None


def _last_whole(folder: Path, ranks: int, say: Callable[[str], None]) -> Path | None:
    """Return the last checkpoint that is complete and can be read; remove those after it."""
    for step, checkpoint in checkpoints(folder).items():
        problem = damage(checkpoint, step, ranks)
        if problem is None:
            return checkpoint
        say(f"{checkpoint} is left out ({problem})")
        remove(checkpoint)
    return None


def _described(asked: Config, data: Iterable[Path], spread: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the weights of a training."""
    values = {key: value for key, value in asked.values.items() if key not in _LEFT_OUT}
    models = [values.get("model_name_or_path"), *asked.names("adapter_name_or_path")]
    return {
        "config": values,
        "data": {str(file): content_hash(file) for file in data if file.is_file()},
        "models": {str(model): _files(Path(str(model))) for model in models if model},
        "spread": spread,
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
