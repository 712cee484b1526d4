"""Rows of a split from the hub, or from a local folder with the same layout, by the package `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from w2s_factory.errors import UserError
from w2s_factory.records import Form, require
from w2s_factory.records.hub_rows import load

Row = dict[str, Any]

OTHERWISE = "--from"
"""The option of `fetch` that names a folder in place of the hub."""


def split_rows(origin: str, config: str | None, split: str, form: Form[Any]) -> list[Row]:
    """Return the rows of a split with only the keys of a form, in the form's order.

    Args:
        origin: A name on the hub, or a local folder.
        config: The configuration on the hub; in a local folder, a folder of this name if there is one.
        split: The name of the split.
        form: The form whose required keys the rows must have.

    Raises:
        UserError: `datasets` is missing, the split is empty, or its rows do not have the form.
        DelegateError: The split can't be loaded.
    """
    where, name = _location(origin, config)
    rows = load(where, name, split, otherwise=OTHERWISE)
    missing = [key for key in form.required if key not in rows.column_names]
    if missing:
        raise UserError(f"split {split} has no column {', '.join(missing)}", file=origin)
    if not len(rows):
        raise UserError(f"split {split} has no rows", file=origin)
    kept = [{key: row[key] for key in form.required} for row in rows]
    for number, row in enumerate(kept, 1):
        try:
            require(row, form)
        except UserError as error:
            raise error.at(file=_split_file(where, split), row=number) from None
    return kept


def inner_folder(origin: str, name: str) -> str:
    """Return the path of a folder in a local one, or the name of a part of a set on the hub.

    Raises:
        UserError: The local folder lacks it: its path would be taken for a name on the hub.
    """
    inner = Path(origin, name)
    if Path(origin).is_dir() and not inner.is_dir():
        raise UserError(f"expected a folder {name} in it", file=origin, hint="Download that set into it")
    return str(inner)


def _location(origin: str, config: str | None) -> tuple[str, str | None]:
    """Return what `load_dataset` takes: in a local folder, a configuration is a folder if there is one."""
    if not Path(origin).is_dir():
        return origin, config
    inner = Path(origin, config or "")
    return str(inner if inner.is_dir() else Path(origin)), None


def _split_file(where: str, split: str) -> str:
    """Return the name of a split in messages: its file, if a folder has exactly one of that name."""
    files = sorted(Path(where).glob(f"{split}[.-]*")) if Path(where).is_dir() else []
    return str(files[0]) if len(files) == 1 else f"{where} (split {split})"
