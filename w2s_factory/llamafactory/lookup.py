"""Looking a dataset up as LLaMA-Factory will, to say clearly what it would stumble over."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import dataset_info
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
