"""Writing files in the release's bytes: all outputs of a command or none, none overwritten by accident."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import io
import json
import os
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.processes import locked
from w2s_factory.records import manifest
from w2s_factory.records.rows import ANY, wrong_row
from w2s_factory.records.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from w2s_factory.records.manifest import Source
    from w2s_factory.records.rows import Form

STDOUT: Final = "-"
"""The name of an output that means the standard output."""

_CHUNK: Final = 1 << 20
"""Bytes that are written or copied at a time."""


def is_stdout(path: str | Path | None) -> bool:
    """Return whether an output is the standard output, to which rows go without further files."""
    return path is not None and str(path) == STDOUT


class Outputs:
    """The files that a command writes, put in place together when the block ends without an error.

    Each file is written to a temporary file in the folder of its destination, flushed to the disk, and then
    renamed. A destination that already has the same bytes is not touched; one that has other bytes is an
    error unless `force` is set. A file that the command reads is never overwritten, whatever path or link
    names it. Commands that write to the same folder at the same time wait for each other.

    Args:
        inputs: The files that the command reads and the manifest names, and rows that are not in a file.
        reads: Further files that the command reads and the manifest does not name.
        force: Overwrite files that have other content.
        remedy: The hint of the error about a file that has other content.
    """

    def __init__(
        self,
        *,
        inputs: Iterable[Source] = (),
        reads: Iterable[str | Path] = (),
        force: bool = False,
        remedy: str = "Overwrite it with --force",
    ) -> None:
        self._inputs = list(inputs)
        self._read = _Files(
            source.file if isinstance(source, manifest.Hashed) else source
            for source in self._inputs
            if not isinstance(source, Table)
        )
        self._read.add(reads)
        self._force, self._remedy = force, remedy
        self._staged: list[_Staged] = []
        self._printed: IO[bytes] | None = None
        self._notes: list[tuple[list[_Staged], _Facts]] = []
        self._made: list[Path] = []
        self._removed: list[tuple[Path, Collection[str]]] = []

    def rows(
        self,
        path: str | Path,
        rows: Iterable[Mapping[str, Any]],
        form: Form[Any] = ANY,
        *,
        producer: str | None = None,
        replace: bool = False,
    ) -> int:
        """Write rows in the format of the file's suffix, `.jsonl` or a `.json` list; return their number.

        They are printed to the standard output (`-`) as `.jsonl`, when the block ends.

        Args:
            path: The file, or `-`.
            rows: The rows, in order.
            form: The form that readers of the file require of each row.
            producer: The origin of the rows, for the error about a row that is not in this form.
            replace: Whether the user asked to overwrite the file.

        Raises:
            UserError: A row is not in the form or cannot be written as JSON, or the file cannot be written.
        """
        checked = _CheckedRows(path, rows, form, producer)
        as_lines = is_stdout(path) or Path(path).suffix == ".jsonl"
        with self._opened(path, stdout=True, replace=replace) as file:
            encode = checked.encoded(_line if as_lines else _indented)
            file.writelines(map(encode, checked) if as_lines else _list(checked, encode))
        return checked.count

    def index(self, path: str | Path, value: Mapping[str, Any], *, replace: bool = False) -> None:
        """Write `dataset_info.json` with indent 2; `replace` means that the user asked for the change."""
        self.text(path, json.dumps(value, indent=2) + "\n", replace=replace)

    def text(self, path: str | Path, text: str, *, replace: bool = False, stdout: bool = False) -> None:
        """Write a text file in UTF-8.

        Args:
            path: The file.
            text: Its content.
            replace: Whether the user asked to overwrite it.
            stdout: Whether the path may be `-`, the standard output.

        Raises:
            UserError: The file cannot be written, or the text has a lone surrogate.
        """
        with self._opened(path, stdout=stdout, replace=replace) as file:
            try:
                file.write(text)
            except UnicodeEncodeError:
                raise UserError("would contain text that is not valid Unicode", file=path) from None

    def note(
        self, *, inputs: Iterable[Source] | None = None, packages: Sequence[str] = (), **facts: Any
    ) -> None:
        """Add manifest lines for the files that were named since the last call.

        A line is written for each file that this command puts in place, and for a file that already has the
        same bytes if its manifest has no such line yet.

        Args:
            inputs: The sources of these files; by default all inputs of the command.
            packages: The distributions whose versions matter, in addition to `w2s-factory`.
            facts: Further facts that decide the content: seed, model, mode.
        """
        done = [staged for files, _ in self._notes for staged in files]
        files = [staged for staged in self._staged if staged not in done]
        sources = self._inputs if inputs is None else list(inputs)
        self._notes.append((files, {"inputs": sources, "packages": packages, **facts}))

    def remove(self, folder: Path, names: Collection[str]) -> None:
        """Remove files of an earlier command, and their manifest lines, once all files are in place."""
        self._removed.append((folder, names))

    def claim(self, *paths: str | Path) -> None:
        """Refuse, before long work, destinations that cannot be written whatever their content is.

        Raises:
            UserError: A path is a file that the command reads, a manifest, a loop of links, or not a regular
                file.
        """
        for path in paths:
            if not is_stdout(path):
                self._destination(path)

    def check(self) -> None:
        """Refuse, before any file is put in place, destinations that must not be overwritten.

        Raises:
            UserError: A destination has other content and may not be overwritten, is not a regular file, or
                is a file that the command reads.
        """
        for staged in self._staged:
            self._refuse(staged.path, staged.named)
            free = self._force or staged.replace or not staged.path.exists()
            if not (free or staged.is_there()):
                raise UserError("exists and has other content", file=staged.named, hint=self._remedy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._place()
                for folder, names in self._removed:
                    _remove(folder, names)
                self._print()
        finally:
            if self._printed is not None:
                self._printed.close()
            for staged in self._staged:
                with contextlib.suppress(OSError):  # the disk fails, which is already reported
                    staged.temporary.unlink(missing_ok=True)
            if kind is not None or not all(staged.path.exists() for staged in self._staged):
                self._remove_made_folders()

    def _place(self) -> None:
        """Put the files in place and add their manifest lines, with the folders locked."""
        if not self._staged:
            return
        self.check()  # before the inputs are hashed, which may take long
        said = [(files, manifest.common(**facts)) for files, facts in self._notes if files]
        noted = [staged for files, _ in said for staged in files]
        hashes = {id(staged): manifest.content_hash(staged.temporary) for staged in noted}
        with locked(folder for staged in self._staged for folder in staged.folders):
            self.check()  # others may have written there since
            placed: list[_Staged] = []
            try:
                for staged in self._staged:
                    if not staged.is_there():
                        staged.put_in_place()
                        placed.append(staged)
            except UserError:
                with contextlib.suppress(UserError):  # the lines of files in place, if they can be written
                    manifest.append(_new_lines(said, hashes, placed))
                raise
            manifest.append(_new_lines(said, hashes, placed))

    def _print(self) -> None:
        """Copy the rows for the standard output to it."""
        if self._printed is None:
            return
        self._printed.seek(0)
        try:
            _copy(self._printed)
        except BrokenPipeError:  # the reader of our output has ended
            raise
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file="standard output") from None

    def _opened(self, path: str | Path, *, stdout: bool, replace: bool) -> _Durable:
        """Open the temporary file in which a destination's content is written."""
        if is_stdout(path):
            if not stdout:
                hint = "Name a file"
                raise UserError(
                    "is the standard output, to which this cannot be written", file=path, hint=hint
                )
            return _Durable(self._open_printed(), tempfile.gettempdir())
        named = Path(path)
        path = self._destination(named)
        if any(path == staged.path for staged in self._staged):
            raise UserError("would be written twice", file=named, hint="Choose another name")
        temporary = path.with_name(f".{path.name[:_PREFIX]}.{secrets.token_hex(4)}.part")
        # Listed before it exists, so that a signal at any moment leaves none behind.
        self._staged.append(_Staged(temporary, path, named, replace))
        try:
            self._make_folders(path)
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            self._staged.pop()
            raise UserError(f"cannot be written ({error.strerror})", file=named) from None
        return _Durable(handle, named)

    def _open_printed(self) -> int:
        if self._printed is not None:
            raise UserError("would be written twice", file=STDOUT, hint="Choose another name")
        try:
            self._printed = tempfile.TemporaryFile()  # noqa: SIM115  closed when the block ends
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=tempfile.gettempdir()) from None
        return os.dup(self._printed.fileno())

    def _make_folders(self, path: Path) -> None:
        self._made += [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)

    def _destination(self, named: str | Path) -> Path:
        """Return the path that is written: of a link, the file to which it points."""
        try:
            path = Path(named).resolve()
            loop = path.is_symlink()
        except RuntimeError:  # a loop of links, before Python 3.13
            loop = True
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=named) from None
        except ValueError as error:  # a null character
            raise UserError(f"is not the name of a file ({error})", file=named) from None
        if loop:
            raise UserError(f"cannot be written ({os.strerror(errno.ELOOP)})", file=named)
        if manifest.NAME in (path.name, Path(named).name):
            raise UserError("is the name of the manifest", file=named, hint="Choose another name")
        self._refuse(path, Path(named))
        return path

    def _refuse(self, path: Path, named: Path) -> None:
        """Refuse a destination that must not be overwritten even with `force`."""
        try:
            if path.exists() and not path.is_file():
                raise UserError("is not a regular file", file=named)
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=named) from None
        if path in self._read:
            hint = "Choose another name for the output"
            raise UserError("is read by this command, which would overwrite it", file=named, hint=hint)
        if named.parent / manifest.NAME in self._read:
            problem = f"is an input, but the manifest of {named.name} is written there"
            raise UserError(problem, file=named.parent / manifest.NAME, hint="Choose another folder")

    def _remove_made_folders(self) -> None:
        """Remove the folders made for files that were not put in place, deepest first."""
        for folder in sorted(self._made, reverse=True):
            with contextlib.suppress(OSError):  # something is in it after all
                folder.rmdir()


def _remove(folder: Path, names: Collection[str]) -> None:
    """Remove files from a folder, and their lines from its manifest.

    Raises:
        UserError: One of them cannot be removed.
    """
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot be removed ({error.strerror})", file=folder / name) from None
    if names:
        manifest.forget(folder, names)


def write(
    path: str | Path, rows: Iterable[Mapping[str, Any]], form: Form[Any] = ANY, *, force: bool = False
) -> int:
    """Write a file of rows, `.jsonl` or a `.json` list, in the release's bytes; return their number.

    Raises:
        UserError: The file exists with other content and `force` is not set, or it cannot be written.
    """
    with Outputs(force=force) as outputs:
        return outputs.rows(path, rows, form)


_PREFIX: Final = 50
"""The number of characters of a name that its temporary name keeps, since names have a largest length."""

_Facts: TypeAlias = dict[str, Any]


class _Files:
    """A set of files, each identified under all its paths and links."""

    def __init__(self, paths: Iterable[str | Path]) -> None:
        self._identities: set[object] = set()
        self.add(paths)

    def add(self, paths: Iterable[str | Path]) -> None:
        self._identities.update(*map(_identities, map(Path, paths)))

    def __contains__(self, path: Path) -> bool:
        return not self._identities.isdisjoint(_identities(path))


def is_same_file(first: Path, second: Path) -> bool:
    """Return whether two paths name the same file, links resolved; missing files are compared by path."""
    return not _identities(first).isdisjoint(_identities(second))


def _identities(path: Path) -> set[object]:
    """Return the path of a file with links resolved, and of an existing one its device and inode."""
    found: set[object] = set()
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # a loop of links, a null character
        found.add(path.resolve())
    with contextlib.suppress(OSError, ValueError):
        status = path.stat()
        found.add((status.st_dev, status.st_ino))
    return found


@dataclass(frozen=True, eq=False)
class _Staged:
    """A file that is written and not yet in place.

    Attributes:
        temporary: The path at which it is written.
        path: The path of its destination, links resolved.
        named: The destination as the user named it; the manifest is in the folder of this path.
        replace: Whether the user asked to overwrite it.
    """

    temporary: Path
    path: Path
    named: Path
    replace: bool

    @property
    def folders(self) -> set[Path]:
        """The folders that change when the file is put in place."""
        return {self.path.parent, self.named.parent}

    def is_there(self) -> bool:
        """Return whether the destination already has these bytes."""
        try:
            return self.path.exists() and filecmp.cmp(self.temporary, self.path, shallow=False)
        except OSError as error:
            raise UserError(f"cannot be compared ({error.strerror})", file=self.named) from None

    def put_in_place(self) -> None:
        try:
            self.temporary.replace(self.path)
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=self.named) from None


def _new_lines(
    said: Iterable[tuple[Sequence[_Staged], _Facts]], hashes: Mapping[int, str], placed: Sequence[_Staged]
) -> Iterator[tuple[Path, str]]:
    """Yield the manifest lines of files put in place, and of unchanged files whose hash no line has."""
    current = lru_cache(manifest.current)
    for files, facts in said:
        for staged in files:
            folder, name, sha256 = staged.named.parent, staged.named.name, hashes[id(staged)]
            if staged in placed or (staged.is_there() and current(folder).get(name) != sha256):
                yield folder, manifest.line(staged.named, sha256, facts)


class _CheckedRows:
    """Rows that are checked against a form while they are written to a file.

    Attributes:
        count: The number of rows so far.
    """

    def __init__(
        self, path: str | Path, rows: Iterable[Mapping[str, Any]], form: Form[Any], producer: str | None
    ) -> None:
        self._path, self._rows, self._form, self._producer = path, rows, form, producer
        self.count = 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for row in self._rows:
            self.count += 1
            wrong = wrong_row(row, self._form)
            if wrong and (wrong := wrong_row(self._as_read(row), self._form)):
                raise self._error(wrong.problem, field=wrong.field)
            yield row

    def encoded(self, encode: Callable[[Any], str]) -> Callable[[Any], str]:
        """Return an encoder whose errors name the row that cannot be written, and its origin."""

        def checked(row: Any) -> str:
            try:
                return encode(row)
            except (TypeError, ValueError, RecursionError) as error:
                raise self._error(f"cannot be written as JSON ({error})") from None

        return checked

    def _as_read(self, row: Any) -> Any:
        """Return a row as a reader will see it: tuples as lists, instances of subclasses of `str` as text."""
        return json.loads(self.encoded(json.dumps)(row))

    def _error(self, problem: str, field: str | None = None) -> UserError:
        blamed = f"; the row comes from {self._producer}" if self._producer else ""
        return UserError(f"{problem}{blamed}", file=self._path, row=self.count, field=field)


class _Durable:
    """A text file open for writing that is flushed to the disk before it is closed."""

    def __init__(self, handle: int, named: str | Path) -> None:
        raw = _NamedFile(handle, named)
        self._file = io.TextIOWrapper(io.BufferedWriter(raw, _CHUNK), encoding="utf-8", newline="\n")
        self._raw = raw

    def __enter__(self) -> IO[str]:
        return self._file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._file.flush()
                self._raw.sync()
        finally:
            self._raw.discard()


class _NamedFile(io.FileIO):
    """A file whose errors name its destination."""

    def __init__(self, handle: int, named: str | Path) -> None:
        super().__init__(handle, "wb")
        self._named = named

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise self._error(error) from None

    def sync(self) -> None:
        try:
            os.fsync(self.fileno())
        except OSError as error:
            raise self._error(error) from None

    def discard(self) -> None:
        """Close the file without writing what is buffered; it is complete, or is given up."""
        with contextlib.suppress(OSError):
            super().close()

    def _error(self, error: OSError) -> UserError:
        return UserError(f"cannot be written ({error.strerror})", file=self._named)


def _copy(file: IO[bytes]) -> None:
    """Write a file to the standard output."""
    out = sys.stdout
    if out is None:
        raise UserError("is closed", file="standard output")
    out.flush()
    if hasattr(out, "buffer"):
        shutil.copyfileobj(file, out.buffer, _CHUNK)
    else:  # the standard output of a notebook, for example
        out.write(file.read().decode())
    out.flush()


def _line(row: Mapping[str, Any]) -> str:
    """Return a row as in `.jsonl`: an ASCII-escaped object and a line break."""
    return json.dumps(row) + "\n"


def _list(rows: Iterable[Mapping[str, Any]], encode: Callable[[Any], str] | None = None) -> Iterator[str]:
    """Yield the text of `json.dumps(list(rows), indent=4)`, a row at a time."""
    encode = encode or _indented
    empty = True
    for row in rows:
        if empty:
            yield "["
        yield ("\n" if empty else ",\n") + encode(row)
        empty = False
    yield "[]" if empty else "\n]"


def _indented(row: Mapping[str, Any]) -> str:
    """Return a row of a list at indent 4, without Python's slow indenting encoder if its values are flat."""
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
