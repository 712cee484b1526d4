"""Preference rows in their two forms: the published list, and the columns LLaMA-Factory takes from 0.8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from w2s_factory.errors import UserError
from w2s_factory.records.reading import read_placed
from w2s_factory.records.rows import PAIR, Form

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.records.reading import Place
    from w2s_factory.records.rows import Id, Pair

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


def read_pairs(path: str | Path) -> Iterator[Pair]:
    """The pairs of a file in either form, as the published one; other keys are kept.

    Raises:
        UserError: A row is in neither form.
    """
    rows: Iterator[tuple[Place, dict[str, Any]]] = read_placed(path, Form("preference pairs", {}))
    for place, row in rows:
        _check(place, row)
        yield as_pair(row) if "chosen" in row else row  # type: ignore[misc]


def pair_form(path: str | Path) -> PairForm:
    """Which form a file's first pair has.

    Raises:
        UserError: It has no row, or one in neither form.
    """
    rows: Iterator[tuple[Place, dict[str, Any]]] = read_placed(path, Form("preference pairs", {}))
    for place, row in rows:
        _check(place, row)
        return "columns" if "chosen" in row else "release"
    raise UserError("holds no preference pairs", file=path)


def as_columns(pair: Pair) -> ColumnPair:
    """A published pair with `output` replaced, in its place, by `chosen` and `rejected`."""
    row: dict[str, Any] = {}
    for key, value in pair.items():
        row |= dict(zip(("chosen", "rejected"), value, strict=True)) if key == "output" else {key: value}
    return row  # type: ignore[return-value]


def as_pair(columns: ColumnPair) -> Pair:
    """A pair of columns with `chosen` replaced, in its place, by the list `output`."""
    row: dict[str, Any] = {}
    for key, value in columns.items():
        if key == "chosen":
            row["output"] = [value, columns["rejected"]]
        elif key != "rejected":
            row[key] = value
    return row  # type: ignore[return-value]


def _check(place: Place, row: dict[str, Any]) -> None:
    form = COLUMN_PAIR if "chosen" in row or "rejected" in row else PAIR
    place.require(row, form)
    output = row.get("output")
    if form is PAIR and not (len(output) == 2 and all(isinstance(text, str) for text in output)):
        raise place.error("expected a list of two texts, [chosen, rejected]", field="output")
