"""Writing files: the release's bytes, all of a command's outputs or none, nothing overwritten unasked."""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import tempfile
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from w2s_factory.errors import UserError
from w2s_factory.records import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType


class Outputs:
    """The files one command writes, put in place together when the block ends without an error.

    Each is written beside its destination, flushed to the disk, then renamed. A destination that
    already holds the same bytes is left alone; one that holds others is an error unless `force`.

    Args:
        force: Overwrite files that hold something else.
    """

    def __init__(self, *, force: bool = False) -> None:
        self._force = force
        self._staged: list[tuple[Path, Path, bool]] = []
        self._made: list[Path] = []

    def rows(self, path: str | Path, rows: Iterable[Mapping[str, Any]], *, replace: bool = False) -> int:
        """Write rows as the suffix says, `.jsonl` or a `.json` list; return how many they were."""
        count = 0

        def counted() -> Iterable[Mapping[str, Any]]:
            nonlocal count
            for count, row in enumerate(rows, 1):  # noqa: B007  the count outlives the loop
                yield row

        with self._beside(Path(path), replace=replace) as file:
            file.writelines(_lines(counted()) if Path(path).suffix == ".jsonl" else _list(counted()))
        return count

    def index(self, path: str | Path, value: Mapping[str, Any], *, replace: bool = False) -> None:
        """Write `dataset_info.json`: indent 2, final newline. `replace` says the change was asked for."""
        self.text(path, json.dumps(value, indent=2) + "\n", replace=replace)

    def text(self, path: str | Path, text: str, *, replace: bool = False) -> None:
        """Write a text file in UTF-8. `replace` says that overwriting it was asked for."""
        with self._beside(Path(path), replace=replace) as file:
            file.write(text)

    def check(self) -> None:
        """Refuse, before anything is put in place, what must not be overwritten.

        Raises:
            UserError: A destination holds something else and may not, or is no regular file.
        """
        for staged, path, replace in self._staged:
            if path.exists() and not path.is_file():
                raise UserError("is not a regular file", file=path)
            if not (self._force or replace) and path.exists() and not _same(staged, path):
                raise UserError(
                    "exists and holds something else", file=path, hint="Overwrite it with --force"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.check()
                for staged, path, _ in self._staged:
                    if not _same(staged, path):
                        staged.replace(path)
        finally:
            for staged, _, _ in self._staged:
                staged.unlink(missing_ok=True)
            if kind is not None or not all(path.exists() for _, path, _ in self._staged):
                self._remove_made_folders()

    def _beside(self, path: Path, *, replace: bool = False) -> _Durable:
        path = path.resolve()  # a link stays, what it points to is written
        if path.name == manifest.NAME:
            raise UserError("is the name of the manifest", file=path, hint="Choose another name")
        if any(path == other for _, other, _ in self._staged):
            raise UserError("would be written twice", file=path, hint="Choose another name")
        missing = [folder for folder in path.parents if not folder.exists()]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made += missing
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=path) from None
        self._staged.append((Path(name), path, replace))
        return _Durable(handle)

    def _remove_made_folders(self) -> None:
        """Remove the folders made for files that were not put in place, deepest first."""
        for folder in sorted(self._made, reverse=True):
            with contextlib.suppress(OSError):  # something is in it after all
                folder.rmdir()


def write(path: str | Path, rows: Iterable[Mapping[str, Any]], *, force: bool = False) -> int:
    """Write one file of rows, `.jsonl` or a `.json` list, in the release's bytes; return their number.

    Raises:
        UserError: The file exists, holds something else, and `force` is not set; or can't be written.
    """
    with Outputs(force=force) as outputs:
        return outputs.rows(path, rows)


class _Durable:
    """A text file open for writing that reaches the disk before it closes."""

    def __init__(self, handle: int) -> None:
        os.fchmod(handle, 0o666 & ~_umask())
        self._file: IO[str] = os.fdopen(handle, "w", encoding="utf-8", newline="\n")

    def __enter__(self) -> IO[str]:
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _same(staged: Path, path: Path) -> bool:
    return staged.exists() and path.exists() and filecmp.cmp(staged, path, shallow=False)


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """`.jsonl`: one ASCII-escaped object a line."""
    return (json.dumps(row) + "\n" for row in rows)


def _list(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """`.json`: what `json.dumps(list(rows), indent=4)` gives, a row at a time."""
    empty = True
    for row in rows:
        if empty:
            yield "["
        yield ("\n" if empty else ",\n") + _indented(row)
        empty = False
    yield "[]" if empty else "\n]"


def _indented(row: Mapping[str, Any]) -> str:
    """One row of a list at indent 4, without Python's slow indenting encoder where values are flat."""
    return _template(tuple(row)) % tuple(map(_value, row.values())) if row else "    {}"


@lru_cache
def _template(keys: tuple[str, ...]) -> str:
    fields = (f"        {encode_basestring_ascii(key).replace('%', '%%')}: %s" for key in keys)
    return "    {\n" + ",\n".join(fields) + "\n    }"


def _value(value: Any) -> str:
    if type(value) is str:
        return encode_basestring_ascii(value)
    if type(value) is int:
        return str(value)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, indent=4).replace("\n", "\n        ")
    return json.dumps(value)
