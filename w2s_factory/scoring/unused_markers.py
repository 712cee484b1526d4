"""Markers of thinking that a user named and no response has: most likely a typing error."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.thinking import DEFAULT_MARKERS, is_opened
from w2s_factory.errors import UserError
from w2s_factory.folders import OUTPUT
from w2s_factory.records import Table, last_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from w2s_factory.answers.thinking import Markers
    from w2s_factory.records import RowSource


class UnusedMarkersWarning(UserWarning):
    """A warning that no response of a file has the markers named, where the model was not asked to think."""


def check_markers(
    markers: Markers | None,
    files: Sequence[tuple[RowSource, Iterable[Mapping[str, Any]]]],
    *,
    optional: bool = False,
) -> None:
    """Refuse markers that a user named and no response has: its thinking would count as the answer.

    A file without them is named in an `UnusedMarkersWarning` if another file has them, or if its manifests
    note that the model was not asked to think.

    Args:
        markers: The markers named; None, or those of a known model, are not checked.
        files: Files with their rows, which have a `response`; all of them are read with these markers.
        optional: Whether to warn only, since a model may not think.

    Raises:
        UserError: No response of any file has one of them, no prompt opened the thinking, and a model may
            have been asked to think.
    """
    if markers is None or markers in DEFAULT_MARKERS:
        return
    without = [source for source, rows in files if not _has(markers, rows)]
    problem = f'no response has the marker "{markers.start}" or "{markers.end}"'
    thinking = [source for source in without if _may_think(source)]
    if thinking and len(without) == len(files) and not optional:
        raise UserError(
            problem,
            file=thinking[0],
            field="--reasoning-start",
            hint="Check both markers; leave them out for a model that does not think",
        )
    for source in without:
        warnings.warn(f"{source}: {problem}", UnusedMarkersWarning, stacklevel=3)


def _has(markers: Markers, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a response has one of the markers, or a prompt opened the thinking."""
    texts = (markers.start, markers.end)
    return any(is_opened(row) or any(text in row["response"] for text in texts) for row in rows)


def _may_think(source: RowSource) -> bool:
    """Return whether the model of a file may have been asked to think, and the file has its thinking.

    The manifest notes that of responses, next to which their results are. Of a file without such a line it
    is not known, so that the answer is yes.
    """
    if isinstance(source, Table):
        return True
    said = last_facts(source)
    if said.get("train_on") == "answer":
        return False
    settings = said.get("settings", last_facts(source.with_name(OUTPUT)).get("settings"))
    if not isinstance(settings, dict):
        return True
    chat = settings.get("chat")
    return isinstance(chat, dict) and chat.get("thinking") != "off"
