"""`manifest.jsonl`: a line for each artefact of its folder, saying what made it from what."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NAME = "manifest.jsonl"

_SECRET = re.compile(r"token(?!s|i[sz]e)|(?<!answer[-_])key|password|secret", re.I)
"""In the name of what is not to be written down; `max_tokens`, `tokenizer`, `answer_key` are no secrets."""

_SECRET_INSIDE = re.compile(rf"({_SECRET.pattern})\w*\W*[:=]", re.I)

_HIDDEN = "***"


class Hashed(NamedTuple):
    """A file as it was."""

    file: str
    sha256: str


def hashed(paths: Iterable[str | Path]) -> list[Hashed]:
    """Inputs as they are now, for a later `note`: an output may take the place of one of them.

    Raises:
        UserError: A file can't be read.
    """
    return [Hashed(str(path), content_hash(path)) for path in paths]


def note(
    outputs: Iterable[str | Path],
    *,
    inputs: Iterable[str | Path | Hashed] = (),
    packages: Sequence[str] = (),
    **facts: Any,
) -> None:
    """Append a line for each output to the manifest of the folder it lies in.

    Values whose name says token, key, password or secret are left out, of the command and of facts.

    Args:
        outputs: Files just written.
        inputs: Files they were made from; `hashed` where an output may have overwritten one.
        packages: Distributions whose versions matter here, besides `w2s-factory` itself.
        facts: What else decides the content: seed, model, mode.

    Raises:
        UserError: A manifest can't be written, or a file can't be read.
    """
    common = {
        "command": [Path(sys.argv[0]).name, *_without_secrets(sys.argv[1:])],
        "inputs": [one._asdict() for one in _all_hashed(inputs)],
        "versions": {name: _version(name) for name in ("w2s-factory", *packages)},
        **_hidden(facts),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    for path in map(Path, outputs):
        line = json.dumps({"file": path.name, "sha256": content_hash(path), **common}, default=str)
        try:
            with (path.parent / NAME).open("a", encoding="utf-8") as manifest:
                manifest.write(line + "\n")
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", file=path.parent / NAME) from None


def _all_hashed(inputs: Iterable[str | Path | Hashed]) -> Iterator[Hashed]:
    for one in inputs:
        if isinstance(one, Hashed):
            yield one
        else:
            yield from hashed([one])


def noted(path: str | Path, **facts: Any) -> bool:
    """Whether the manifest beside a file has a line for it as it is now, with these facts."""
    path = Path(path)
    try:
        lines = [json.loads(line) for line in (path.parent / NAME).read_text("utf-8").splitlines()]
        wanted = {"file": path.name, "sha256": content_hash(path), **facts}
        return any(wanted.items() <= line.items() for line in lines)
    except (OSError, ValueError, AttributeError, UserError):  # no such file, or none of ours
        return False


def content_hash(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        UserError: It can't be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path) from None


def _without_secrets(arguments: Sequence[str]) -> Iterator[str]:
    """A command line with the values hidden of `--option value`, `--option=value` and `key=value`."""
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
    from importlib import metadata  # noqa: PLC0415  costs more than most commands' own work

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
