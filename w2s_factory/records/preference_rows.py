"""Preference rows in their two forms: the published list, and the columns LLaMA-Factory takes from 0.8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, cast

from w2s_factory.records.reader import read_placed
from w2s_factory.records.rows import PAIR, Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.records.reader import Place
    from w2s_factory.records.rows import Id, Pair
    from w2s_factory.records.tables import RowSource

PairForm: TypeAlias = Literal["release", "columns"]


class ColumnPair(TypedDict):
    """A preference row from LLaMA-Factory 0.8 on."""

    id: Id
    instruction: str
    input: str
    chosen: str
    rejected: str


COLUMN_PAIR: Form[ColumnPair] = Form(
    "preference pairs",
    {"id": (int, str), "instruction": (str,), "input": (str,), "chosen": (str,), "rejected": (str,)},
)


def read_pairs(path: str | RowSource) -> Iterator[Pair]:
    """The pairs of a file in either form, as the published one; other keys are kept.

    Raises:
        UserError: A row is in neither form.
    """
    rows: Iterator[tuple[Place, dict[str, Any]]] = read_placed(path, Form("preference pairs", {}))
    for place, row in rows:
        yield _checked(place, row)


def as_columns(pair: Pair) -> ColumnPair:
    """A published pair with `output` replaced, in its place, by `chosen` and `rejected`."""
    chosen, rejected = pair["output"]
    row: dict[str, Any] = {}
    for key, value in pair.items():
        row.update({"chosen": chosen, "rejected": rejected} if key == "output" else {key: value})
    return cast("ColumnPair", row)


def as_pair(columns: ColumnPair) -> Pair:
    """A pair of columns with `chosen` replaced, in its place, by the list `output`."""
    row: dict[str, Any] = {}
    for key, value in columns.items():
        if key == "chosen":
            row["output"] = [value, columns["rejected"]]
        elif key != "rejected":
            row[key] = value
    return cast("Pair", row)


def _checked(place: Place, row: dict[str, Any]) -> Pair:
    """A row of either form as a published pair."""
    if "chosen" in row or "rejected" in row:
        place.require(row, COLUMN_PAIR)
        if "output" in row:
            problem = "stands beside chosen and rejected, whose place it has in the published form"
            raise place.error(problem, field="output", hint="Rename it")
        return as_pair(cast("ColumnPair", row))
    place.require(row, PAIR)
    if [type(text) for text in row["output"]] != [str, str]:
        raise place.error("expected a list of two texts, [chosen, rejected]", field="output")
    return cast("Pair", row)
