"""The datasets a training configuration names, found as LLaMA-Factory finds them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory import records
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.dataset_info import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.llamafactory.training_config import Config

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
        return columns_of(self.entry)


def named_datasets(config: Config) -> list[Dataset]:
    """The datasets of `dataset` and `eval_dataset`; none where `dataset_dir` is a hub's.

    Raises:
        UserError: No dataset is named; `dataset_info.json`, an entry of it or a file is missing.
    """
    names, others = _names(config, "dataset"), _names(config, "eval_dataset")
    if not names:
        raise config.wrong("dataset", "is missing: no dataset to train on is named")
    folder = config.values.get("dataset_dir", "data")
    if not isinstance(folder, str):
        raise config.wrong("dataset_dir", "expected the path of a folder")
    if folder == "ONLINE" or folder.startswith("REMOTE:"):
        return []
    if not Path(folder, INDEX).is_file():
        absolute = "" if Path(folder).is_absolute() else f" (relative to {Path.cwd()}; write it absolute)"
        raise config.wrong("dataset_dir", f"no {INDEX} in {folder}{absolute}")
    info = records.read_object(Path(folder, INDEX))
    return [_dataset(config, name, info, folder) for name in [*names, *others]]


def _dataset(config: Config, name: str, info: Mapping[str, Any], folder: str) -> Dataset:
    entry = info.get(name)
    if not isinstance(entry, dict):
        near = f"It knows: {', '.join(list(info)[:8])}" if info else "It is empty"
        raise config.wrong("dataset", f"{name!r} is not in {Path(folder, INDEX)}", near)
    try:
        columns_of(entry)
    except UserError as error:
        raise config.wrong("dataset", f"{name!r} in {Path(folder, INDEX)}: {error.problem}") from None
    if any(key in entry for key in _ELSEWHERE):
        return Dataset(name, entry, None)
    if not isinstance(entry.get("file_name"), str):
        raise config.wrong("dataset", f"{name!r} has no file_name in {Path(folder, INDEX)}")
    file = Path(os.path.abspath(os.path.join(folder, entry["file_name"])))  # noqa: PTH100, PTH118  as LLaMA-Factory
    if not file.exists():
        raise config.wrong("dataset", f"{name!r} names {file}, which does not exist")
    return Dataset(name, entry, file)


def _names(config: Config, key: str) -> list[str]:
    return [name for name in config.names(key) if name]
