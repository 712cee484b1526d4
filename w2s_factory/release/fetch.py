"""Fetching of benchmarks and of the release, by the name of the source."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError, did_you_mean
from w2s_factory.records import MANIFEST
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from w2s_factory.tasks import Task

SOURCES = {
    "release": "release.fetch_release:fetch_release",
    "gsm8k": "release.fetch_gsm8k:fetch_gsm8k",
    "math": "release.fetch_math:fetch_math",
    "olympic_arena": "release.fetch_olympic_arena:fetch_olympic_arena",
}
"""The sources that can be fetched, each with its function as `module:name` below `w2s_factory`.

A function takes `(origin, output_dir, *, force)`: where to fetch from (None for the place of publication),
the folder to fill, and whether existing files may be replaced. It returns a `Fetched`.
"""


@dataclass(frozen=True)
class Fetched:
    """The files fetched from a source.

    Attributes:
        folder: The folder that holds them.
        files: The files written, with their number of rows; empty if the folder is a clone.
        notes: Sentences that a user of the data should know.
        hint: The next command, or a sentence that says what is still missing for it.
    """

    folder: Path
    files: dict[Path, int]
    notes: tuple[str, ...] = ()
    hint: str | None = None


def fetch(
    source: Task | str, output_dir: str | Path, *, origin: str | Path | None = None, force: bool = False
) -> Fetched:
    """Fetch a benchmark from the hub, or the published release from its repository.

    Args:
        source: One of `SOURCES`, or a task whose benchmark is one of them.
        output_dir: The folder to fill.
        origin: The place to fetch from instead: a URL, a name on the hub, or a local folder.
        force: Replace files that have other content.

    Raises:
        UserError: There is no such source, or a file or folder has other content.
        DelegateError: The source can't be reached.
    """
    source = source if isinstance(source, str) else get_task(source).name
    if source not in SOURCES:
        hint = f"{did_you_mean(source, SOURCES)} Known sources: {', '.join(SOURCES)}".strip()
        raise UserError(f'no source "{source}"', hint=hint)
    module, _, name = SOURCES[source].partition(":")
    function: Callable[..., Fetched] = getattr(importlib.import_module(f"w2s_factory.{module}"), name)
    return function(None if origin is None else str(origin), Path(output_dir), force=force)


def files_below(origin: str) -> list[Path]:
    """Return the files of a local folder, without manifests; none for a name on the hub."""
    found = Path(origin).rglob("*") if Path(origin).is_dir() else ()
    return [file for file in found if file.is_file() and file.name != MANIFEST]
