"""The rows of a task from a file: read from data files or the hub, checked, and divided into splits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError, did_you_mean, short
from w2s_factory.records import PlacedTable, Table
from w2s_factory.records.hub_rows import load
from w2s_factory.records.reader import Place
from w2s_factory.records.tabular_files import read_data, split_files
from w2s_factory.tasks.task_file import exact_share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from w2s_factory.tasks.task_file import Definition, RowsSection, SplitSection
    from w2s_factory.tasks.task_file import Place as RowsPlace

    Placed = tuple[Place, dict[str, Any]]

ROW_ID: Final = "id of the row"
"""The key under which a row has its id; no column that a template can name."""


@dataclass(frozen=True)
class TaskRows:
    """The rows of a task file's splits, each place read once.

    Attributes:
        definition: The task file.
    """

    definition: Definition
    _read: dict[RowsPlace, list[Placed]] = field(default_factory=dict)

    def split(self, name: str) -> PlacedTable:
        """Return the rows of a split, in the order of their files, each with its place and its id.

        Raises:
            UserError: The rows cannot be read, lack a column, or have duplicate ids; or the split is empty.
            DelegateError: They cannot be loaded from the hub.
        """
        split = self.definition.splits[name]
        rows = self._rows(split)
        kept = rows if split.share is None else [rows[place] for place in self._drawn(name, len(rows))]
        if not kept:
            drawn = "" if split.share is None else f": a share of {split.share:g} of {len(rows):,} is none"
            raise self.definition.error(f"has no rows{drawn}", *self._section(name))
        return PlacedTable(f"{name} of {self.definition.path}", kept)

    def files(self, name: str) -> list[Path]:
        """Return the data files of a split; none for rows of the hub.

        Raises:
            UserError: The folder has no such split.
        """
        split = self.definition.splits[name]
        if split.hub:
            return []
        path = self.definition.local(split)
        if path.is_file():
            return [path]
        try:
            return split_files(path, split.config, split.split)
        except UserError as error:
            problem = f"{error.file}{' ' if error.field else ': '}{error.problem}"
            raise self.definition.error(problem, *self._section(name), hint=error.hint) from None

    def _section(self, name: str) -> tuple[str, ...]:
        """Return the keys that lead to the split in the file, or to its rows if it has no section."""
        return ("splits", name) if name in self.definition.content.splits else ("rows",)

    def _rows(self, split: SplitSection) -> list[Placed]:
        """Return all rows of a split's place, with their ids."""
        key = self.definition.place(split)
        if key not in self._read:
            name = next(name for name, other in self.definition.splits.items() if other == split)
            placed = list(self._placed(name, split.place))
            self._check_columns(name, placed)
            self._read[key] = self._with_ids(placed)
        return self._read[key]

    def _placed(self, name: str, place: RowsSection) -> Iterator[Placed]:
        if place.hub:
            rows = load(place.hub, place.config, str(place.split), otherwise="rows: {path: ...}")
            table = Table(str(place), ())
            return ((Place(table, number, in_list=True), row) for number, row in enumerate(rows, 1))
        return (placed for file in self.files(name) for placed in read_data(file))

    def _check_columns(self, name: str, placed: Sequence[Placed]) -> None:
        """Check that the columns which the file names are those of the rows."""
        if not placed:
            raise self.definition.error("has no rows", *self._section(name))
        columns = dict.fromkeys(column for _, row in placed for column in row)
        for key, column in self._named_columns():
            if column not in columns:
                hint = did_you_mean(column, columns) or f"Columns: {', '.join(columns)}"
                file = placed[0][0].file
                raise self.definition.error(f'{file} has no column "{column}"', "columns", key, hint=hint)

    def _named_columns(self) -> Iterator[tuple[str, str]]:
        """Yield the keys and values of `columns` that must be columns of the rows."""
        columns = self.definition.content.columns
        for key in ("question", "solution", "id"):
            value = getattr(columns, key)
            if value is not None and (key != "id" or key in columns.model_fields_set):
                yield key, value
        if columns.answer is not None:
            yield "answer", columns.answer.column

    def _with_ids(self, placed: Sequence[Placed]) -> list[Placed]:
        """Return the rows with their ids: those of the column, or else their places, counted from 0.

        Raises:
            UserError: An id is not a whole number or text, or is a duplicate.
        """
        column = self.definition.content.columns.id
        if column is None or column not in placed[0][1]:
            return [(place, row | {ROW_ID: number}) for number, (place, row) in enumerate(placed)]
        first: dict[Any, Place] = {}
        for place, row in placed:
            found = row.get(column)
            if isinstance(found, bool) or not isinstance(found, (int, str)) or found == "":
                problem = f"expected a whole number or text, got {short(found)}"
                hint = f"With columns: {{id: null}} in {self.definition.path}, places of rows are ids"
                raise place.error(problem, field=column, hint=hint)
            if found in first:
                before = f"{first[found].file}:{first[found].number}"
                raise place.error(f"duplicate id {found!r}, as in {before}", field=column)
            first[found] = place
        return [(place, row | {ROW_ID: row[column]}) for place, row in placed]

    def _drawn(self, name: str, count: int) -> list[int]:
        """Return the places of the rows that the seed draws for a split with a share, in order."""
        place = self.definition.place(self.definition.splits[name])
        order = list(range(count))
        Random(self.definition.content.seed).shuffle(order)
        start = Fraction(0)
        for other, split in self.definition.splits.items():
            share = exact_share(split.share)
            if other == name:
                return sorted(order[math.floor(start * count) : math.floor((start + share) * count)])
            start += share if self.definition.place(split) == place else 0
        raise KeyError(name)
