"""Reading and converting preference pairs in their two forms, the published one and that of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from w2s_factory.records.reader import read_placed
from w2s_factory.records.rows import ANY, COLUMN_PAIR, PAIR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.records.reader import Place
    from w2s_factory.records.rows import ColumnPair, Pair
    from w2s_factory.records.tables import RowSource


def read_pairs(path: str | RowSource) -> Iterator[Pair]:
    """Yield the pairs of a file in either form as published ones; other keys are kept.

    Raises:
        UserError: A row is in neither form.
    """
    for place, row in read_placed(path, ANY):
        yield _checked(place, row)


def as_columns(pair: Pair) -> ColumnPair:
    """Return a published pair with `output` replaced, in its place, by `chosen` and `rejected`."""
    chosen, rejected = pair["output"]
    row: dict[str, Any] = {}
    for key, value in pair.items():
        row.update({"chosen": chosen, "rejected": rejected} if key == "output" else {key: value})
    return cast("ColumnPair", row)


def as_pair(columns: ColumnPair) -> Pair:
    """Return a pair of columns with `chosen` replaced, in its place, by the list `output`."""
    row: dict[str, Any] = {}
    for key, value in columns.items():
        if key == "chosen":
            row["output"] = [value, columns["rejected"]]
        elif key != "rejected":
            row[key] = value
    return cast("Pair", row)


def _checked(place: Place, row: dict[str, Any]) -> Pair:
    """Return a row of either form as a published pair."""
    if "chosen" in row or "rejected" in row:
        place.require(row, COLUMN_PAIR)
        if "output" in row:
            problem = (
                "expected no such key next to chosen and rejected: a row has either this key or those two"
            )
            raise place.error(problem, field="output", hint="Delete or rename it")
        return as_pair(cast("ColumnPair", row))
    place.require(row, PAIR)
    if [type(text) for text in row["output"]] != [str, str]:
        raise place.error("expected a list of two texts, [chosen, rejected]", field="output")
    return cast("Pair", row)
