"""Which questions some results answer rightly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records import ANSWERED, Table, read

if TYPE_CHECKING:
    from w2s_factory.records import Id, RowSource


def read_verdicts(path: str | RowSource) -> dict[Id, bool]:
    """Whether each question whose gold is known was answered rightly, in the order of the rows.

    Args:
        path: Results, or a folder with `results.jsonl`.

    Raises:
        UserError: The file can't be used, is empty, an id stands in it twice, or no gold is known.
    """
    return read_known(path)[0]


def read_known(path: str | RowSource) -> tuple[dict[Id, bool], int]:
    """As `read_verdicts`, and the number of questions left out: those whose gold is not known."""
    file = path if isinstance(path, Table) else _results_file(Path(path))
    verdicts: dict[Id, bool | None] = {}
    for place, row in enumerate(read(file, ANSWERED), 1):
        if row["id"] in verdicts:
            raise UserError(f"the id {row['id']!r} comes twice", file=file, row=place, field="id")
        verdicts[row["id"]] = row.get("result")
    if not verdicts:
        raise UserError("holds no rows", file=file)
    known = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
    if not known:
        raise no_gold(file)
    return known, len(verdicts) - len(known)


def _results_file(path: Path) -> Path:
    return path / "results.jsonl" if path.is_dir() else path


def no_gold(file: str | RowSource) -> UserError:
    """There is nothing to evaluate, to be raised."""
    return UserError("no gold is known: no row has a result", file=file, hint="Stage I and II need none")


def left_out(name: str | RowSource, unknown: int) -> list[str]:
    """The note on questions left out; none where there are none."""
    return [f"{name}: {unknown:,} questions whose gold is not known are left out"] if unknown else []
