"""Reading rows: line by line from `.jsonl`, or one list from `.json`; every error names the place."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import orjson

from w2s_factory.errors import UserError
from w2s_factory.records.json_list import list_objects
from w2s_factory.records.rows import Form, kind_of, wrong_row
from w2s_factory.records.tables import RowSource, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import BinaryIO

    import pandas as pd

RowT = TypeVar("RowT")

_BOM: Final = b"\xef\xbb\xbf"
"""The byte order mark with which some editors start UTF-8 text; it is skipped."""

_ROUNDED: Final = 2.0**63
"""The smallest float that orjson may have read from a whole number beyond its range."""

_MAY_BE_ROUNDED: Final = frozenset({float, dict, list})
_LARGE_LIST: Final = 32_000_000
"""Bytes from which on a JSON list is read an item at a time, which takes twice as long."""

_BUFFER: Final = 1 << 16
"""Bytes that are read at once, where rows that follow one another are read again."""

_CSV_NAME: Final = r'(?:"[^",;\t]+"|[A-Za-z_][\w .-]*)'
_CSV_HEAD: Final = re.compile(rf"{_CSV_NAME}(?:[,;\t]{_CSV_NAME})+\s*")
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,17}")
"""A whole number that is written as it was read: without leading zeros, at most 64 bits."""


class Place(NamedTuple):
    """The place of a row in a file: its line, or its row in a JSON list, counted from 1.

    Attributes:
        file: The file, or the rows in memory.
        number: The line, or the row in the list.
        in_list: Whether it is the row in a list.
        start: The first byte of the row in the file.
        size: The number of its bytes; 0 if the row cannot be read again by itself.
    """

    file: RowSource
    number: int
    in_list: bool
    start: int = 0
    size: int = 0

    def error(self, problem: str, *, field: str | None = None, hint: str | None = None) -> UserError:
        """Return an error about the row here, to be raised."""
        line, row = (None, self.number) if self.in_list else (self.number, None)
        return UserError(problem, file=self.file, line=line, row=row, field=field, hint=hint)

    def locate(self, error: UserError, name: Any = None) -> UserError:
        """Return an error with this place, and with the row's id if it is given."""
        line, row = (None, self.number) if self.in_list else (self.number, None)
        return error.at(file=self.file, line=line, row=row, name=name)

    def require_utf8(self, row: Mapping[str, Any], *fields: str) -> None:
        """Check that texts of the row here can be encoded, which a tokenizer or a server needs.

        Raises:
            UserError: A text holds a lone surrogate.
        """
        for field in fields:
            try:
                row[field].encode()
            except UnicodeEncodeError as error:
                problem = f"holds a lone surrogate, {row[field][error.start]!r}, which models cannot read"
                hint = "Delete it, or write the character of which it is one half"
                raise self.error(problem, field=field, hint=hint) from None

    def require(self, row: Any, form: Form[Any]) -> None:
        """Check the row here against a form.

        Raises:
            UserError: It lacks a key or has one of the wrong type.
        """
        wrong = wrong_row(row, form)
        if wrong:
            raise self.error(wrong.problem, field=wrong.field, hint=wrong.hint)


class PlacedTable(Table):
    """Rows in memory that were read from files, each with its place there, which errors name.

    Args:
        name: The name of the rows.
        placed: The rows with their places.
    """

    def __init__(self, name: str, placed: Iterable[tuple[Place, Mapping[str, Any]]]) -> None:
        pairs = list(placed)
        super().__init__(name, (row for _, row in pairs))
        self.places = [place for place, _ in pairs]

    def named(self, name: str) -> PlacedTable:  # noqa: ARG002  its own name says where the rows are from
        """Return the table itself."""
        return self


def require(row: Any, form: Form[Any]) -> None:
    """Check a row that is not in a file against a form.

    Raises:
        UserError: It lacks a key or has one of the wrong type.
    """
    wrong = wrong_row(row, form)
    if wrong:
        raise UserError(wrong.problem, field=wrong.field, hint=wrong.hint)


def read(path: str | RowSource, form: Form[RowT]) -> Iterator[RowT]:
    """Yield the rows of a file, or of a table in memory, in order, each checked against `form`.

    A file whose first character is `[` is read as one JSON list, any other file line by line. Memory does not
    grow with the file, except for small lists and for large ones with a mistake. Blank lines and a byte order
    mark at the start are skipped.

    Raises:
        UserError: The file is missing, unreadable or not JSON, or a row lacks a key or has a key of the wrong
            type; with the file and the line (or the row in a list).
    """
    return (row for _, row in read_placed(path, form))


def to_frame(source: RowSource) -> pd.DataFrame:
    """Return the rows of a file or a table as a DataFrame."""
    rows: Iterator[dict[str, Any]] = read(source, Form("rows", {}))
    return Table(str(source), rows).to_frame()


def read_placed(
    path: str | RowSource,
    form: Form[RowT],
    *,
    by_item: bool = False,
    opened: Callable[[BinaryIO], object] | None = None,
) -> Iterator[tuple[Place, RowT]]:
    """Yield the rows as `read` does, each with its place, for errors that are found later.

    Args:
        path: The file or the table.
        form: The form of its rows.
        by_item: Whether small JSON lists are read an item at a time, too, so that places have a size.
        opened: A function that gets the open file, before it is read.

    Raises:
        UserError: As in `read`.
    """
    if isinstance(path, Table):
        places = path.places if isinstance(path, PlacedTable) else None
        for number, row in enumerate(path, 1):
            place = places[number - 1] if places else Place(path, number, in_list=True)
            place.require(row, form)
            yield place, cast("RowT", row)
        return
    path = Path(path)
    with _opened(path) as file:
        if opened is not None:
            opened(file)
        with _readable(path):
            in_list = _first_character(file) == b"["
        rows = _list_rows(path, file, by_item) if in_list else _line_rows(path, file)
        for number, row, start, size in rows:
            place = Place(path, number, in_list, start, size)
            place.require(row, form)
            yield place, cast("RowT", row)


@contextmanager
def reading_again(path: Path) -> Iterator[Callable[[int, int], Any]]:
    """Yield a function that returns the value of the JSON text at a place in a file, of a size in bytes.

    Raises:
        UserError: The file cannot be read, or does not hold JSON there any more.
    """
    with _readable(path), path.open("rb", _BUFFER) as file:
        seek, read_bytes = file.seek, file.read

        def value(start: int, size: int) -> Any:
            seek(start)
            return _parsed(read_bytes(size), path)

        yield value


def read_object(path: str | Path) -> dict[str, Any]:
    """Return the JSON object that a file holds (`dataset_info.json`, `metrics.json`).

    Raises:
        UserError: The file is missing, is not JSON, or holds something else.
    """
    path = Path(path)
    with _opened(path) as file, _readable(path):
        value = _parsed(file.read().removeprefix(_BOM), path)
    if not isinstance(value, dict):
        raise UserError(f"expected an object, got {kind_of(value)}", file=path)
    return value


def read_text(path: Path, *, largest: int | None = None, missing: Callable[[Path], str] | None = None) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark.

    Args:
        path: The file.
        largest: The largest number of bytes; None for no limit.
        missing: Returns the hint for a file that does not exist.

    Raises:
        UserError: It does not exist, is not a regular file, is too large, or is not UTF-8 text.
    """
    if missing is not None and not (path.exists() or path.is_symlink()):
        raise UserError("no such file", file=path, hint=missing(path))
    with _opened(path) as file, _readable(path):
        content = file.read(-1 if largest is None else largest + 1).removeprefix(_BOM)
    if largest is not None and len(content) > largest:
        raise UserError(f"expected at most {largest:,} bytes, got more", file=path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError("is not UTF-8 text", file=path, line=line) from None


def _opened(path: Path) -> BinaryIO:
    with _readable(path):
        if path.exists() and not path.is_file():
            irregular = "not a regular file; inputs are read twice, once for their hash"
            raise UserError(f"is {'a folder' if path.is_dir() else irregular}", file=path, hint="Name a file")
        try:
            return path.open("rb")
        except FileNotFoundError:
            if str(path) == "-":
                raise UserError(
                    "is the standard input, which cannot be read", file=path, hint="Name a file"
                ) from None
            raise UserError("no such file", file=path) from None
        except ValueError as error:  # a null character
            raise UserError(f"is not the name of a file ({error})", file=path) from None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise an error of the operating system, which may not name the file, as a `UserError` that does."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path) from None


def _first_character(file: BinaryIO) -> bytes:
    """Return the first character that is not blank; rewind the file to its start, after a byte order mark."""
    start = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
    file.seek(start)
    character = b" "
    while character and character.isspace():
        character = file.read(1)
    file.seek(start)
    return character


def _list_rows(path: Path, file: BinaryIO, by_item: bool) -> Iterator[tuple[int, Any, int, int]]:
    """Yield the number of each item of a JSON list, its value, and its place and size in bytes.

    A list of more than 32 MB, or any if `by_item`, is read an item at a time. Where that finds a mistake,
    which is reported as in a small list, or an item that is not an object, the list is read as a whole. Size
    and place are then 0. Rows before the mistake have then been yielded, so that a wrong one among them is
    reported first; in a small list the mistake is.
    """
    number = 0
    with _readable(path):
        begin = file.tell()
        if file.seek(0, io.SEEK_END) - begin > _LARGE_LIST or by_item:
            file.seek(begin)
            with suppress(ValueError):
                items = ((_item(text, path), start, len(text)) for start, text in list_objects(file))
                for number, item in enumerate(items, 1):
                    yield number, *item
                return
        file.seek(begin)
        text = file.read()
    for later, row in enumerate(islice(_parsed(text, path), number, None), number + 1):
        yield later, row, 0, 0


def _item(text: bytes, path: Path) -> Any:
    """Return the value of an item of a list.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return _parsed(text, path)
    except UserError as error:
        raise ValueError from error


def _line_rows(path: Path, file: BinaryIO) -> Iterator[tuple[int, Any, int, int]]:
    """Yield the number of each line that is not blank, its value, and its place and size in bytes."""
    start = file.tell()
    with _readable(path):
        for number, line in enumerate(file, 1):
            if not line.isspace():
                yield number, _parsed(line.rstrip(b"\r\n"), path, line_number=number), start, len(line)
            start += len(line)


def _parsed(text: bytes, path: Path, line_number: int = 1) -> Any:
    """Return the value of a JSON text.

    orjson is fast, but it refuses lone surrogates, which models do write, and rounds long whole numbers;
    such texts are read by the standard library.
    """
    try:
        value = orjson.loads(text)
        return _parsed_slowly(text, path, line_number) if _is_rounded(value) else value
    except orjson.JSONDecodeError:
        return _parsed_slowly(text, path, line_number)
    except RecursionError:
        raise UserError("JSON nested too deeply", file=path, line=line_number) from None


def _is_rounded(value: Any) -> bool:
    """Return whether a value may hold a whole number that was read as a float."""
    kind = type(value)
    if kind is float:
        return not -_ROUNDED < value < _ROUNDED
    if kind is dict:
        value = value.values()
    elif kind is not list:
        return False
    for inner in value:  # noqa: SIM110  a generator takes twice as long, for each of millions of rows
        if type(inner) in _MAY_BE_ROUNDED and _is_rounded(inner):
            return True
    return False


def _parsed_slowly(text: bytes, path: Path, line_number: int) -> Any:
    try:
        return json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = line_number + text[: error.start].count(b"\n")
        raise UserError("is not UTF-8 text", file=path, line=line) from None
    except json.JSONDecodeError as error:
        line = line_number + error.lineno - 1
        if line == 1 and _is_csv(text, path):
            raise _csv_error(path, text) from None
        raise UserError(f"broken JSON ({error.msg}, column {error.colno})", file=path, line=line) from None
    except ValueError:
        problem = "has a whole number of more than 4,300 digits, which cannot be read"
        raise UserError(problem, file=path, line=line_number) from None
    except RecursionError:
        raise UserError("JSON nested too deeply", file=path, line=line_number) from None


def _is_csv(text: bytes, path: Path) -> bool:
    """Return whether text that is not JSON is CSV, by the file's name or a first line of column names."""
    if path.suffix.lower() in (".csv", ".tsv"):
        return True
    head = text.splitlines()[0] if text else b""
    return _CSV_HEAD.fullmatch(head.decode("utf-8", "replace")) is not None


def _csv_error(path: Path, text: bytes) -> UserError:
    rows = path.with_suffix(".jsonl")
    rows = path.with_name(f"{path.stem}_rows.jsonl") if rows == path else rows
    head = text.splitlines()[0].decode("utf-8", "replace") if text else ""
    separator = csv_separator(head, path)
    named = "" if separator == "," else f"sep={json.dumps(separator)}, "
    reading = f"pandas.read_csv({json.dumps(str(path))}, {named}dtype=str, keep_default_na=False)"
    whole = '.astype({"id": int})' if _has_whole_ids(path, separator) else ""
    writing = f'to_json({json.dumps(str(rows))}, orient="records", lines=True)'
    program = shlex.quote(f"import pandas; {reading}{whole}.{writing}")
    return UserError("this is CSV, expected JSON rows", file=path, hint=f"Convert it: python -c {program}")


def csv_separator(head: str, path: Path) -> str:
    """Return the separator of the columns, by the first line or else by the file's name."""
    found = re.search(r"[,;\t]", re.sub(r'"[^"]*"', "", head))
    return found[0] if found else "\t" if path.suffix.lower() == ".tsv" else ","


def _has_whole_ids(path: Path, separator: str) -> bool:
    """Return whether the column `id` holds only whole numbers, which must not become texts."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            ids = [row["id"] for row in csv.DictReader(file, delimiter=separator)]
    except (KeyError, UnicodeDecodeError, csv.Error):
        return False
    return bool(ids) and all(map(is_whole_number, ids))


def is_whole_number(text: str | None) -> bool:
    """Return whether a text is a whole number that is written as it was read."""
    return _WHOLE.fullmatch(text or "") is not None
