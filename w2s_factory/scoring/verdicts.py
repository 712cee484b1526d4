"""Which questions some results answer rightly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records import RESULT, read

if TYPE_CHECKING:
    from w2s_factory.records import Id


def read_verdicts(path: str | Path) -> dict[Id, bool]:
    """Whether each question was answered rightly, in the order of the rows.

    Args:
        path: Results, or a folder with `results.jsonl`.

    Raises:
        UserError: The file can't be used, is empty, or an id stands in it twice.
    """
    path = Path(path)
    file = path / "results.jsonl" if path.is_dir() else path
    verdicts: dict[Id, bool] = {}
    for place, row in enumerate(read(file, RESULT), 1):
        if row["id"] in verdicts:
            raise UserError(f"the id {row['id']!r} comes twice", file=file, row=place, field="id")
        verdicts[row["id"]] = row["result"]
    if not verdicts:
        raise UserError("holds no rows", file=file)
    return verdicts
