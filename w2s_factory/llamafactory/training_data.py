"""The datasets a training configuration names, found as LLaMA-Factory finds them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory import records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.llamafactory.training_config import Config

INFO = "dataset_info.json"
_DEFAULT_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
_ELSEWHERE = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")


@dataclass(frozen=True)
class Dataset:
    """An entry of `dataset_info.json`.

    Attributes:
        name: Its name there.
        entry: What stands under the name.
        file: Its file or folder, made absolute; None if it comes from elsewhere (a hub, a script).
    """

    name: str
    entry: Mapping[str, Any]
    file: Path | None

    @property
    def ranking(self) -> bool:
        """Whether its rows are preference pairs."""
        return bool(self.entry.get("ranking"))

    @property
    def columns(self) -> Mapping[str, str]:
        """Column by role. Once an entry names any, those it does not name are absent."""
        columns: Mapping[str, str] = self.entry.get("columns", _DEFAULT_COLUMNS)
        return columns


def named_datasets(config: Config) -> list[Dataset]:
    """The datasets of `dataset` and `eval_dataset`; none where `dataset_dir` is a hub's.

    Raises:
        UserError: No dataset is named; `dataset_info.json`, an entry of it or a file is missing.
    """
    names = _names(config.values.get("dataset"))
    if not names:
        raise config.wrong("dataset", "is missing: no dataset to train on is named")
    folder = config.values.get("dataset_dir", "data")
    if not isinstance(folder, str):
        raise config.wrong("dataset_dir", "expected the path of a folder")
    if folder == "ONLINE" or folder.startswith("REMOTE:"):
        return []
    if not Path(folder, INFO).is_file():
        absolute = "" if Path(folder).is_absolute() else f" (relative to {Path.cwd()}; write it absolute)"
        raise config.wrong("dataset_dir", f"no {INFO} in {folder}{absolute}")
    info = records.read_object(Path(folder, INFO))
    return [
        _dataset(config, name, info, folder) for name in [*names, *_names(config.values.get("eval_dataset"))]
    ]


def _dataset(config: Config, name: str, info: Mapping[str, Any], folder: str) -> Dataset:
    entry = info.get(name)
    if not isinstance(entry, dict):
        near = f"It knows: {', '.join(list(info)[:8])}" if info else "It is empty"
        raise config.wrong("dataset", f"{name!r} is not in {Path(folder, INFO)}", near)
    if any(key in entry for key in _ELSEWHERE):
        return Dataset(name, entry, None)
    if not isinstance(entry.get("file_name"), str):
        raise config.wrong("dataset", f"{name!r} has no file_name in {Path(folder, INFO)}")
    file = Path(os.path.abspath(os.path.join(folder, entry["file_name"])))  # noqa: PTH100, PTH118  as LLaMA-Factory
    if not file.exists():
        raise config.wrong("dataset", f"{name!r} names {file}, which does not exist")
    return Dataset(name, entry, file)


def _names(value: Any) -> list[str]:
    """`a,b` or a list, as LLaMA-Factory takes both."""
    parts = value.split(",") if isinstance(value, str) else value or []
    return [str(part).strip() for part in parts if str(part).strip()]
