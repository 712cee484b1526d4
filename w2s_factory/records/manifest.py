"""`manifest.jsonl`: a line for each artefact of its folder, saying what made it from what."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME = "manifest.jsonl"


def note(
    outputs: Iterable[str | Path],
    *,
    inputs: Iterable[str | Path] = (),
    packages: Sequence[str] = (),
    **facts: Any,
) -> None:
    """Append a line for each output to the manifest of the folder it lies in.

    Args:
        outputs: Files just written.
        inputs: Files they were made from.
        packages: Distributions whose versions matter here, besides `w2s-factory` itself.
        facts: What else decides the content: seed, model, mode.
    """
    common = {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "inputs": [{"file": str(path), "sha256": content_hash(path)} for path in inputs],
        "versions": {name: _version(name) for name in ("w2s-factory", *packages)},
        **facts,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    for path in map(Path, outputs):
        line = json.dumps({"file": path.name, "sha256": content_hash(path), **common})
        with (path.parent / NAME).open("a", encoding="utf-8") as manifest:
            manifest.write(line + "\n")


def content_hash(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(distribution: str) -> str | None:
    from importlib import metadata  # noqa: PLC0415  costs more than most commands' own work

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
