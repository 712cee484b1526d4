"""Rows of data files of any kind: JSON, JSON lines, CSV, Parquet; and the files of a split in a folder."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError, nearest_or_all
from w2s_factory.packages import missing_extra
from w2s_factory.records.reader import Place, csv_separator, is_whole_number, read_placed, read_text
from w2s_factory.records.rows import ANY
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Row = dict[str, Any]
    Placed = tuple[Place, Row]

SUFFIXES: Final = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
"""The suffixes of data files, in lower case."""

_LONGEST_VALUE: Final = 2**30
"""The most characters of a value in CSV; Python's own limit, 131,072, is below that of long responses."""

_OF_SPLIT: Final = re.compile(r"(?P<split>.+?)(-\d{5}-of-\d{5})?")
"""The name of a file of a split, without suffix: `train`, or `train-00000-of-00002` as on the hub."""


def is_data_file(name: str | Path) -> bool:
    """Return whether a file's name has the suffix of a data file."""
    return Path(name).suffix.lower() in SUFFIXES


def read_data(path: Path) -> Iterator[Placed]:
    """Yield the rows of a data file, each with its place.

    In CSV every value is text, but a column `id` that holds only whole numbers gives numbers, as it would in
    JSON. A `.csv` file may separate its columns by semicolons or tabs, too.

    Raises:
        UserError: The file cannot be read, is not of the kind that its suffix says, or its suffix is unknown.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES and path.is_file():
        raise UserError(f"expected a file that ends in {', '.join(SUFFIXES)}", file=path)
    if kind in (".csv", ".tsv"):
        return _csv_rows(path)
    return _parquet_rows(path) if kind == ".parquet" else read_placed(path, ANY)


def _csv_rows(path: Path) -> Iterator[Placed]:
    text = read_text(path)
    csv.field_size_limit(_LONGEST_VALUE)
    separator = csv_separator(text.partition("\n")[0], path)
    lines = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    placed = _csv_values(path, lines)
    head = next(placed, (None, []))[1]
    if not any(head):
        raise UserError("expected a first line with the names of the columns", file=path, line=1)
    if repeated := next((name for name in head if head.count(name) > 1), None):
        raise UserError(f'two columns have the name "{repeated}"', file=path, line=1)
    rows: list[Placed] = []
    for place, values in placed:
        if len(values) != len(head):
            raise place.error(f"expected {len(head)} columns, got {len(values)}")
        rows.append((place, dict(zip(head, values, strict=True))))
    if rows and all(is_whole_number(row.get("id", "")) for _, row in rows):
        rows = [(place, row | {"id": int(row["id"])}) for place, row in rows]
    return iter(rows)


def _csv_values(path: Path, lines: Any) -> Iterator[tuple[Place, list[str]]]:
    """Yield the values of each row with the line on which the row begins; blank lines are skipped."""
    end = 0
    try:
        for values in lines:
            start, end = end + 1, lines.line_num
            if values:
                yield Place(path, start, in_list=False), values
    except csv.Error as error:
        raise UserError(f"is not CSV ({error})", file=path, line=lines.line_num) from None


def _parquet_rows(path: Path) -> Iterator[Placed]:
    if not path.is_file():
        raise UserError("is a folder" if path.is_dir() else "no such file", file=path)
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  heavy
    except ImportError:
        raise missing_extra("hub", "pyarrow", file=path) from None
    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise UserError(f"is not a Parquet file ({first_line(str(error))})", file=path) from None
    columns = [_parquet_values(path, table, name) for name in table.column_names]
    rows = (dict(zip(table.column_names, values, strict=True)) for values in zip(*columns, strict=True))
    return ((Place(path, number, in_list=True), row) for number, row in enumerate(rows, 1))


def _parquet_values(path: Path, table: Any, column: str) -> list[Any]:
    """Return the values of a column.

    Raises:
        UserError: One of them has no form in Python, as a date after the year 9999.
    """
    try:
        values: list[Any] = table.column(column).to_pylist()
    except Exception as error:  # time zones are looked up by packages with errors of their own
        problem = f"cannot be read ({type(error).__name__}: {first_line(str(error))})"
        raise UserError(problem, file=path, field=column) from error
    return values


def split_files(folder: Path, config: str | None, split: str | None) -> list[Path]:
    """Return the data files of a split in a folder that is laid out as data sets on the hub are.

    The files are in the folder, in a folder `data` in it, or in a folder named after the configuration. Their
    name is that of the split, alone or with numbered parts (`train-00000-of-00002.parquet`).

    Args:
        folder: The folder.
        config: The configuration; None for none.
        split: The split; None for the only one.

    Raises:
        UserError: The folder has no such configuration or split, or several where none is named.
    """
    inside = folder / config if config and (folder / config).is_dir() else folder
    if config and inside == folder and folder.name != config:
        configs = sorted(path.name for path in folder.iterdir() if path.is_dir())
        hint = nearest_or_all(config, configs)
        raise UserError("has no such folder", file=folder, field="config", hint=hint)
    found: dict[str, list[Path]] = {}
    for place in (inside, inside / "data"):
        for path in sorted(place.iterdir()) if place.is_dir() and not found else ():
            if path.is_file() and is_data_file(path) and (named := _OF_SPLIT.fullmatch(path.stem)):
                found.setdefault(named["split"], []).append(path)
    if not found:
        problem = f"expected data files in it ({', '.join(SUFFIXES)}), got none"
        raise UserError(problem, file=inside, hint=_configs(inside))
    if split is None and len(found) > 1:
        raise UserError("is missing", file=inside, field="split", hint=f"It has {', '.join(found)}")
    name = next(iter(found)) if split is None else split
    if name not in found:
        hint = nearest_or_all(name, list(found))
        raise UserError(f'has no split "{split}"', file=inside, field="split", hint=hint)
    return _of_one_kind(found[name], inside)


def _of_one_kind(files: Sequence[Path], folder: Path) -> list[Path]:
    """Return the files of a split, which must not be there in two formats: rows would be read twice."""
    kinds = {file.suffix.lower() for file in files}
    if len(kinds) > 1:
        names = ", ".join(file.name for file in files)
        raise UserError(f"holds the split in several formats: {names}", file=folder, hint="Name one file")
    return list(files)


def _configs(folder: Path) -> str | None:
    """Return a hint with the folders that may be configurations; None if there are none."""
    inner = [
        path.name for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")
    ]
    return f"Its configurations may be: {', '.join(inner)}" if inner else None
