"""Reading rows: line by line from `.jsonl`, or one list from `.json`; every error says where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import orjson

from w2s_factory.errors import UserError
from w2s_factory.records.rows import kind_of, wrong_row
from w2s_factory.records.tables import RowSource, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from w2s_factory.records.rows import Form

RowT = TypeVar("RowT")


class Place(NamedTuple):
    """Where a row stands: its line, or in a JSON list its row, counted from 1."""

    file: RowSource
    number: int
    in_list: bool

    def error(self, problem: str, *, field: str | None = None, hint: str | None = None) -> UserError:
        """What is wrong with the row here, to be raised."""
        line, row = (None, self.number) if self.in_list else (self.number, None)
        return UserError(problem, file=self.file, line=line, row=row, field=field, hint=hint)

    def locate(self, error: UserError, name: Any = None) -> UserError:
        """Return an error about the row here with this place, and with the row's id where that is given."""
        line, row = (None, self.number) if self.in_list else (self.number, None)
        return error.at(file=self.file, line=line, row=row, name=name)

    def require(self, row: Any, form: Form[Any]) -> None:
        """Check the row here against a form.

        Raises:
            UserError: It lacks a key or has one of the wrong type.
        """
        wrong = wrong_row(row, form)
        if wrong:
            raise self.error(wrong.problem, field=wrong.field, hint=wrong.hint)


def require(row: Any, form: Form[Any]) -> None:
    """Check a row that is in no file against a form.

    Raises:
        UserError: It lacks a key or has one of the wrong type.
    """
    wrong = wrong_row(row, form)
    if wrong:
        raise UserError(wrong.problem, field=wrong.field, hint=wrong.hint)


def read(path: str | RowSource, form: Form[RowT]) -> Iterator[RowT]:
    """The rows of a file, or of a table in memory, in order, each checked against `form`.

    A file whose first character is `[` is read as one JSON list, any other line by line: then memory
    does not grow with the file. Blank lines are passed over.

    Raises:
        UserError: The file is missing or unreadable, is not JSON, or a row lacks a key or has one of
            the wrong type; with the file and the line (or, in a list, the row).
    """
    return (row for _, row in read_placed(path, form))


def read_placed(path: str | RowSource, form: Form[RowT]) -> Iterator[tuple[Place, RowT]]:
    """As `read`, each row with its place, for errors found later."""
    if isinstance(path, Table):
        for number, row in enumerate(path, 1):
            place = Place(path, number, in_list=True)
            place.require(row, form)
            yield place, cast("RowT", row)
        return
    path = Path(path)
    with _opened(path) as file:
        in_list = _first_character(file) == b"["
        for number, row in _list_rows(path, file) if in_list else _line_rows(path, file):
            place = Place(path, number, in_list)
            place.require(row, form)
            yield place, cast("RowT", row)


def read_object(path: str | Path) -> dict[str, Any]:
    """The one JSON object a file holds (`dataset_info.json`, `metrics.json`).

    Raises:
        UserError: The file is missing, is not JSON, or holds something else.
    """
    path = Path(path)
    with _opened(path) as file:
        value = _parsed(file.read(), path)
    if not isinstance(value, dict):
        raise UserError(f"expected an object, got {kind_of(value)}", file=path)
    return value


def _opened(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        kind = (
            "a folder" if path.is_dir() else "not a regular file, and inputs are read twice (for their hash)"
        )
        raise UserError(f"is {kind}", file=path, hint="Name a file")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError("no such file", file=path) from None
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path) from None


def _first_character(file: BinaryIO) -> bytes:
    character = b" "
    while character and character.isspace():
        character = file.read(1)
    file.seek(0)
    return character


def _list_rows(path: Path, file: BinaryIO) -> Iterator[tuple[int, Any]]:
    return enumerate(_parsed(file.read(), path), 1)


def _line_rows(path: Path, file: BinaryIO) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(file, 1):
        if not line.isspace():
            yield number, _parsed(line.rstrip(b"\r\n"), path, line_number=number)


def _parsed(text: bytes, path: Path, line_number: int = 1) -> Any:
    """`text` as a value. orjson is quick but refuses lone surrogates, which models do write."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parsed_slowly(text, path, line_number)


def _parsed_slowly(text: bytes, path: Path, line_number: int) -> Any:
    try:
        return json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = line_number + text[: error.start].count(b"\n")
        raise UserError("is not UTF-8 text", file=path, line=line) from None
    except json.JSONDecodeError as error:
        line = line_number + error.lineno - 1
        raise UserError(f"broken JSON ({error.msg}, column {error.colno})", file=path, line=line) from None
    except ValueError:
        raise UserError("holds a number with too many digits", file=path, line=line_number) from None
    except RecursionError:
        raise UserError("JSON nested too deeply", file=path, line=line_number) from None
