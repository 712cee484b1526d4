"""Datasets that a training config names, found and checked as LLaMA-Factory finds them."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory import records
from w2s_factory.errors import UserError
from w2s_factory.llamafactory import dataset_info
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.dataset_info import columns_of
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.llamafactory.versions import Version

_LISTED = 12


def check_datasets(
    names: str,
    dataset_dir: Path,
    *,
    method: str | None,
    version: Version,
    index: Mapping[str, Any] | None = None,
) -> None:
    """Make sure that LLaMA-Factory finds datasets and can train on them.

    Args:
        names: A dataset's name, or several separated by commas.
        dataset_dir: The folder that holds `dataset_info.json`.
        method: The preference method they shall serve; None for supervised fine-tuning.
        version: The LLaMA-Factory that shall read them.
        index: What the index will hold when it is written; by default it and the files are on disk.

    Raises:
        UserError: There is no index, no such dataset in it, no such file, or its rows do not suit.
    """
    path = dataset_dir / dataset_info.NAME
    entries = _read(path) if index is None else index
    for name in map(str.strip, names.split(",")):
        entry = _found(name, entries, path)
        if index is None:
            _check_file(name, entry, path)
        _check_ranking(name, entry, path, method)
        if method is not None:
            _check_form(name, entry, path, version)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UserError(
            f"holds no {dataset_info.NAME}",
            file=path.parent,
            hint="Name the folder that build-data wrote to (--dataset-dir)",
        )
    return read_object(path)


def _found(name: str, entries: Mapping[str, Any], path: Path) -> dict[str, Any]:
    if name not in entries:
        raise UserError(f'no dataset "{name}"', file=path, hint=_others(name, list(entries)))
    entry = entries[name]
    if not isinstance(entry, dict):
        raise UserError(f'dataset "{name}": expected an object', file=path)
    try:
        dataset_info.columns_of(entry)
    except UserError as error:
        raise UserError(f'dataset "{name}": {error.problem}', file=path) from None
    return entry


def _others(name: str, names: list[str]) -> str:
    if not names:
        return "It holds none"
    listed = difflib.get_close_matches(name, names, 3, cutoff=0.8)
    listed += [other for other in names if other not in listed]
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"It holds: {', '.join(listed[:_LISTED])}{more}"


def _check_file(name: str, entry: dict[str, Any], path: Path) -> None:
    file_name = entry.get("file_name")
    if isinstance(file_name, str) and not (path.parent / file_name).exists():
        raise UserError(
            f'dataset "{name}" names the file {file_name}, which is not there',
            file=path,
            hint="File names are relative to --dataset-dir",
        )


def _check_ranking(name: str, entry: dict[str, Any], path: Path, method: str | None) -> None:
    if bool(entry.get("ranking", False)) == (method is not None):
        return
    if method is None:
        raise UserError(f'dataset "{name}" holds preference pairs, not supervised rows', file=path)
    raise UserError(f'dataset "{name}" holds no preference pairs, which {method} needs', file=path)


def _check_form(name: str, entry: dict[str, Any], path: Path, version: Version) -> None:
    """Refuse pairs in the form of other versions; only the Alpaca formatting, ours, has two forms."""
    if entry.get("formatting", "alpaca") != "alpaca":
        return
    form = "columns" if {"chosen", "rejected"} <= dataset_info.columns_of(entry).keys() else "list"
    if form != version.preference_form:
        meant = {"list": "up to 0.7.1 (one list)", "columns": "from 0.8.0 on (chosen, rejected)"}[form]
        raise UserError(
            f'dataset "{name}" has its pairs as LLaMA-Factory reads them {meant}, not as {version.number}',
            file=path,
        )


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
