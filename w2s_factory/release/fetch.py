"""Sources of data: one entry a source, so that a further one is a line in `SOURCES`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from w2s_factory.tasks import Task

SOURCES = {
    "release": "release.clone:fetch_release",
    "gsm8k": "release.hub:fetch_gsm8k",
    "math": "release.hub:fetch_math",
    "olympic_arena": "release.hub_olympic_arena:fetch_olympic_arena",
}
"""What can be fetched: the function of each, below `w2s_factory`.

It takes `(origin, output_dir, *, force)`: where to fetch from (None for where the source is published), the
folder to fill, and whether what is there may be replaced. It returns a `Fetched`.
"""


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes:
        folder: The folder that holds it.
        files: The files written, with their number of rows; empty where the folder is a clone.
        notes: What a user of the data should know.
        hint: What comes next: a command, or a sentence that says what is missing for one.
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
        source: One of `SOURCES`, or the task it is the source of.
        output_dir: The folder to fill.
        origin: Where to fetch from instead: a URL, a name on the hub, or a local folder.
        force: Replace files that hold something else.

    Raises:
        UserError: There is no such source, or the folder holds something else.
        DelegateError: What is needed can't be fetched.
    """
    source = source if isinstance(source, str) else get_task(source).name
    if source not in SOURCES:
        raise UserError(f'nothing called "{source}" can be fetched', hint=f"Known: {', '.join(SOURCES)}")
    module, _, name = SOURCES[source].partition(":")
    function: Callable[..., Fetched] = getattr(importlib.import_module(f"w2s_factory.{module}"), name)
    return function(None if origin is None else str(origin), Path(output_dir), force=force)
