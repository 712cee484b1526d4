"""Rows in memory, which may be given as Python objects or a DataFrame wherever a file may be named."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from w2s_factory.errors import UserError, shown

if TYPE_CHECKING:
    import pandas as pd


class Table(Sequence[dict[str, Any]]):
    """Rows in memory, in order, which functions take instead of a file of rows.

    Args:
        name: The name of the rows in messages (`weak`).
        rows: The rows; each is copied, and NumPy scalars in them are converted to Python's own types.

    Raises:
        UserError: A row is not a mapping.
    """

    def __init__(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        self.name = name
        self._rows = [_row(name, number, row) for number, row in enumerate(rows, 1)]

    def named(self, name: str) -> Table:
        """Return the same rows under another name."""
        table = Table(name, ())
        table._rows = self._rows
        return table

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._rows[place]

    def __len__(self) -> int:
        return len(self._rows)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {len(self):,} rows)"

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a DataFrame; a key that a row lacks is a missing value."""
        import pandas as pd  # noqa: PLC0415  heavy

        return pd.DataFrame(self._rows)

    @cached_property
    def sha256(self) -> str:
        """The hash of the `.jsonl` file with these rows."""
        digest = hashlib.sha256()
        for row in self._rows:
            digest.update((json.dumps(row, default=str) + "\n").encode())
        return digest.hexdigest()


RowsLike: TypeAlias = "str | os.PathLike[str] | Iterable[Mapping[str, Any]] | pd.DataFrame"
"""Rows as an argument of a function: a file, any iterable of rows, or a DataFrame."""

RowSource: TypeAlias = Path | Table
"""Rows after `rows_of`: a file or a table."""


def rows_of(source: RowsLike, name: str, find: Callable[[Path], Path] | None = None) -> RowSource:
    """Return the source of rows: the path of a file, or a table of the given rows.

    In a DataFrame each column is a key; a missing value (NaN, None, NaT) is a key that the row lacks.

    Args:
        source: A file, rows, or a DataFrame.
        name: The name of the rows in messages.
        find: Returns the file that a folder means (`folders.results_in`); None if folders are not accepted.

    Raises:
        UserError: The source is of another type, or is a folder without the file.
    """
    if isinstance(source, (str, os.PathLike)):
        return find(Path(source)) if find else Path(source)
    if isinstance(source, Table):
        return source.named(name)
    pandas = sys.modules.get("pandas")  # without its import there is no DataFrame
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return Table(name, _frame_rows(source, name))
    if isinstance(source, Iterable) and not isinstance(source, (bytes, Mapping)):
        return Table(name, source)  # type: ignore[arg-type]  # not a DataFrame
    expected = "a file, rows (an iterable of mappings) or a DataFrame"
    raise UserError(f"expected {expected}, got {shown(source)}", field=name)


def _row(name: str, number: int, row: Any) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise UserError(f"expected a mapping, got {shown(row)}", file=name, row=number)
    return {key: plain_value(value) for key, value in row.items()} if _numpy() else dict(row)


def _frame_rows(frame: pd.DataFrame, name: str) -> Iterator[dict[str, Any]]:
    for column in frame.columns:
        if not isinstance(column, str):
            raise UserError(f"expected columns with text for names, got {shown(column)}", file=name)
    whole = {column for column in frame.columns if _became_float(frame[column])}
    for row in frame.to_dict("records"):
        kept = {str(key): value for key, value in row.items() if not _is_missing(value)}
        yield {key: int(value) if key in whole else value for key, value in kept.items()}


def _became_float(column: pd.Series[Any]) -> bool:
    """Return whether whole numbers became floats only because some values are missing."""
    if column.dtype.kind != "f" or not column.isna().any():
        return False
    known = column.dropna()
    return bool((known % 1 == 0).all())


def _is_missing(value: Any) -> bool:
    import pandas as pd  # noqa: PLC0415  it is imported already

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def plain_value(value: Any) -> Any:
    """Return a value with NumPy scalars, also within lists and dicts, converted to Python's own types."""
    if isinstance(value, dict):
        return {key: plain_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain_value(inner) for inner in value]
    numpy = _numpy()
    return value.item() if numpy is not None and isinstance(value, numpy.generic) else value


def _numpy() -> Any:
    """Return NumPy, or None if it is not imported, so that there are no values of its types."""
    return sys.modules.get("numpy")
