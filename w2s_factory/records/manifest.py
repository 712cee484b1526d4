"""`manifest.jsonl`: a line for each file of its folder, with the command and the inputs that made it."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.processes import locked
from w2s_factory.records.tables import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from io import FileIO

NAME = "manifest.jsonl"

_SECRET = re.compile(r"token(?!s|i[sz]e)|(?<!answer[-_])key|password|secret", re.I)
"""The names of values that must not be written; `max_tokens`, `tokenizer`, `answer_key` are not secrets."""

_SECRET_INSIDE = re.compile(rf"({_SECRET.pattern})\w*\W*[:=]", re.I)

_HIDDEN = "***"


class Hashed(NamedTuple):
    """A file, or rows that are not in a file, with the hash of its content.

    Attributes:
        file: The file's path, or a description of the rows.
        sha256: The hash of the content, in hexadecimal.
    """

    file: str
    sha256: str


Source: TypeAlias = str | Path | Hashed | Table
"""An input: a file, or rows in memory, which are identified by their hash."""


def note(
    outputs: Iterable[str | Path],
    *,
    inputs: Iterable[Source] = (),
    packages: Sequence[str] = (),
    **facts: Any,
) -> None:
    """Append a line for each file to the manifest of its folder.

    This is for files that other programs wrote; `Outputs` adds the lines of its own files. Values of options
    and facts whose name contains token, key, password or secret are replaced by asterisks.

    Args:
        outputs: Files that were just written.
        inputs: The files from which they were built.
        packages: The distributions whose versions matter, in addition to `w2s-factory`.
        facts: Further facts that decide the content: seed, model, mode.

    Raises:
        UserError: A manifest cannot be written, or a file cannot be read.
    """
    said = common(inputs=inputs, packages=packages, **facts)
    files = [Path(path) for path in outputs]
    lines = [(path.parent, line(path, content_hash(path), said)) for path in files]
    with locked({folder for folder, _ in lines}):
        append(lines)


def common(*, inputs: Iterable[Source] = (), packages: Sequence[str] = (), **facts: Any) -> dict[str, Any]:
    """Return the part that the lines of all files of one command share, with the present hashes of inputs.

    Raises:
        UserError: An input cannot be read.
    """
    return {
        "command": [Path(sys.argv[0]).name, *without_secrets(sys.argv[1:])],
        "inputs": [_hashed(source)._asdict() for source in inputs],
        "versions": {name: _version(name) for name in ("w2s-factory", *packages)},
        **_hidden(facts),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def line(path: Path, sha256: str, said: Mapping[str, Any]) -> str:
    """Return the manifest line of a file, without a line break."""
    return json.dumps({"file": path.name, "sha256": sha256, **said}, default=str)


def append(lines: Iterable[tuple[Path, str]]) -> None:
    """Append lines to the manifests of folders that this process has locked: all lines of a folder or none.

    Raises:
        UserError: A manifest cannot be written.
    """
    by_folder: dict[Path, list[str]] = {}
    for folder, text in lines:
        by_folder.setdefault(folder, []).append(text)
    for folder, texts in by_folder.items():
        path = folder / NAME
        if path.exists() and not path.is_file():
            raise UserError("cannot be written (not a regular file)", file=path)
        try:
            _append("".join(f"{text}\n" for text in texts).encode(), path)
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=path) from None


def _append(text: bytes, path: Path) -> None:
    """Append whole lines, so that neither this process nor a killed one leaves an incomplete line."""
    with path.open("ab+", buffering=0) as file:
        end = _end_of_lines(file)
        try:
            while text:
                text = text[file.write(text) or 0 :]
        except OSError:
            file.truncate(end)
            raise


def _end_of_lines(file: FileIO) -> int:
    """Return the size of a manifest, after dropping an incomplete last line or adding its line break."""
    file.seek(0)
    whole, _, last = file.readall().rpartition(b"\n")
    if not last:
        return file.tell()
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        return file.truncate(len(whole) + bool(whole))
    return file.tell() + (file.write(b"\n") or 0)


def current(folder: Path) -> dict[str, str]:
    """Return the hash in the last line about each file of a folder, by file name."""
    return {name: said["sha256"] for name, said in last_lines(folder).items()}


def last_lines(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the last line about each file of a folder that has its hash, by file name."""
    return {
        said["file"]: said
        for said in _lines(folder)
        if is_name(said.get("file")) and isinstance(said.get("sha256"), str)
    }


def is_name(name: object) -> bool:
    """Return whether a value can be the name of a file in the manifest's folder; a damaged one may not."""
    return isinstance(name, str) and name not in ("", ".", "..") and "/" not in name and "\0" not in name


def forget(folder: Path, names: Collection[str]) -> None:
    """Remove all lines about files from the manifest of their folder.

    Raises:
        UserError: The manifest cannot be written.
    """
    there = folder / NAME
    with locked([folder]):
        kept = [json.dumps(said) for said in _lines(folder) if said.get("file") not in names]
        temporary = there.with_name(f".{NAME}.part")
        try:
            temporary.write_text("".join(f"{line}\n" for line in kept))
            temporary.replace(there)
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=there) from None


def last_facts(path: str | Path) -> dict[str, Any]:
    """Return the last line about a file in the manifest next to it; empty if there is none."""
    path = Path(path)
    return next((said for said in reversed([*_lines(path.parent)]) if said.get("file") == path.name), {})


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a manifest that are objects; incomplete lines are skipped."""
    path = folder / NAME
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except OSError:  # a manifest that cannot be read counts as empty
        return
    for text in lines:
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict):
            yield said


def _hashed(source: Source) -> Hashed:
    if isinstance(source, Hashed):
        return source
    if isinstance(source, Table):
        return Hashed(f"{source} (in memory)", source.sha256)
    return Hashed(str(source), content_hash(source))


def noted(path: str | Path, **facts: Any) -> bool:
    """Return whether the manifest next to a file has a line with the file's present hash and these facts."""
    path = Path(path)
    try:
        wanted = {"file": path.name, "sha256": content_hash(path), **facts}
    except UserError:  # no such file
        return False
    return any(wanted.items() <= said.items() for said in _lines(path.parent))


def noted_files(folder: Path, **facts: Any) -> set[str]:
    """Return the names of the files in a folder of which its manifest notes the present hash and these facts.

    It is `noted` for many files, for which the manifest is read once.
    """
    lines = [said for said in _lines(folder) if facts.items() <= said.items() and is_name(said.get("file"))]
    hashes = {(said["file"], said.get("sha256")) for said in lines}
    there = [name for name in {name for name, _ in hashes} if (folder / name).is_file()]
    return {name for name in there if (name, content_hash(folder / name)) in hashes}


def content_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path) from None


def without_secrets(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return a command line without secret values, as in `--option value`, `--option=value`, `key=value`."""
    return tuple(_without_secrets(arguments))


def _without_secrets(arguments: Sequence[str]) -> Iterator[str]:
    after_option = False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if after_option and not argument.startswith("--"):
            yield _HIDDEN
        elif equals and (_SECRET.search(name) or _SECRET_INSIDE.search(value)):
            yield f"{name}={_HIDDEN}"
        else:
            yield argument
        after_option = argument.startswith("--") and not equals and bool(_SECRET.search(name))


def _hidden(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _shown(key, value) for key, value in values.items()}


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _hidden(value)
    secret = _SECRET.search(str(key)) and value is not None and not isinstance(value, bool)
    return _HIDDEN if secret else value


def _version(distribution: str) -> str | None:
    from importlib import metadata  # noqa: PLC0415  takes longer than most commands' own work

    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, ValueError):  # ValueError: the name is empty
        return None
