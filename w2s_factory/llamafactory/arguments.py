"""Which arguments a version of LLaMA-Factory knows, without importing it."""

from __future__ import annotations

import difflib
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.versions import RELEASES
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from w2s_factory.llamafactory.versions import Version

TABLE = Path(__file__).with_name("arguments.json")
"""Two tables, made by scripts/llamafactory_arguments.py. Each name has the first and last release that
knows it, for each stretch of releases. `always`: what training and export take; `training`: training only.
"""


def known_arguments(version: Version, *, training: bool = True) -> frozenset[str]:
    """The arguments that can stand in a YAML for training, or else for export.

    The training arguments come from transformers, and count if the oldest or the newest transformers
    that fits the version has them.
    """
    return _known(version.number, training)


def check_known(names: Iterable[str], version: Version, *, training: bool = True) -> None:
    """Refuse arguments the version does not know.

    Raises:
        UserError: One is not known; names the nearest one that is, if any is near.
    """
    known = known_arguments(version, training=training)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1)
            hint = f'Did you mean "{near[0]}"?' if near else None
            use = "" if training else " for export"
            raise UserError(
                f"LLaMA-Factory {version.number} knows no such argument{use}", field=name, hint=hint
            )


@functools.cache
def _known(release: str, training: bool) -> frozenset[str]:
    table = read_object(TABLE)
    spans = table["always"] | (table["training"] if training else {})
    place = RELEASES.index
    return frozenset(
        name
        for name, stretches in spans.items()
        if any(place(first) <= place(release) <= place(last) for first, last in stretches)
    )
