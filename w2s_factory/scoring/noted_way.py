"""The way in which results were scored, votes counted or training sets built, as manifests note it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.answers.extraction import PUBLISHED
from w2s_factory.answers.thinking import Markers
from w2s_factory.errors import UserError
from w2s_factory.folders import OUTPUT
from w2s_factory.records import Table, content_hash, last_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.records import RowSource


class NotedWay(NamedTuple):
    """A way to find and compare answers, as manifests note it.

    Attributes:
        extract: The way to find them.
        mode: The mode of comparison.
        markers: The markers of thinking; None for those recognised by default.
        answer_key: The text that precedes the final answer, if not the task's own.
        any_format: Whether answers were found in any format (`Task.extract_any`).
    """

    extract: str = PUBLISHED
    mode: str = PUBLISHED
    markers: Markers | None = None
    answer_key: str | None = None
    any_format: bool = False

    @property
    def is_published(self) -> bool:
        """Whether the task's own method found the answers."""
        return self.extract == PUBLISHED

    @property
    def compares_as_scored(self) -> bool:
        """Whether the answers are compared in the mode that scored them.

        Otherwise the task itself says which are equal: as published, whatever mode scored them.
        """
        return not self.is_published and self.mode != PUBLISHED

    @property
    def facts(self) -> dict[str, Any]:
        """Return the facts for the manifest of votes and training sets; none for the published way."""
        found: dict[str, Any] = {}
        if not self.is_published:
            found = {"extract": self.extract} | ({"mode": self.mode} if self.mode != PUBLISHED else {})
        return found | self.facts_on_responses

    @property
    def facts_on_responses(self) -> dict[str, Any]:
        """Return the manifest's facts about the responses: their answer key and markers, if named."""
        key = {} if self.answer_key is None else {"answer_key": self.answer_key}
        return key | ({} if self.markers is None else {"reasoning": asdict(self.markers)})

    def finds_as(self, other: NotedWay, *, same_key: bool) -> bool:
        """Return whether two ways find and compare answers alike; as published, their modes may differ.

        Args:
            other: The other way.
            same_key: Whether their answer keys have to be the same.
        """
        if self.is_published and other.is_published:
            return True
        keys = not same_key or self.answer_key == other.answer_key
        return keys and self._replace(answer_key=None).facts == other._replace(answer_key=None).facts

    def judges_as(self, other: NotedWay) -> bool:
        """Return whether two ways give the same verdicts."""
        published = self.is_published and other.is_published  # reads whole responses, with any markers
        return self == (other._replace(markers=self.markers) if published else other)


def noted_way(source: RowSource) -> NotedWay:
    """Return the way in which results were scored or votes counted, as the manifest next to them notes it.

    It is the published one if the manifest has no line about the file, and for rows in memory.

    Raises:
        UserError: As `known_way`.
    """
    return known_way(source) or NotedWay()


def known_way(source: RowSource) -> NotedWay | None:
    """Return the same as `noted_way`; None if there is no manifest with a line about the file.

    Raises:
        UserError: The results were scored from responses that were generated again after that.
    """
    said = {} if isinstance(source, Table) else last_facts(source)
    if not said or isinstance(source, Table):
        return None
    _refuse_outdated(Path(source), said)
    texts = ("extract", "mode", "answer_key")
    named = {name: said[name] for name in texts if isinstance(said.get(name), str)}
    return NotedWay(**named, markers=_markers(said.get("reasoning")), any_format=said.get("answers") == "any")


def _refuse_outdated(results: Path, said: Mapping[str, Any]) -> None:
    """Refuse results whose responses, in the folder of the results, are others than those scored.

    Responses are hashed only where they were written after the results.
    """
    responses = results.with_name(OUTPUT)
    if not (responses.is_file() and results.is_file()):
        return
    if responses.stat().st_mtime <= results.stat().st_mtime:
        return
    inputs = said.get("inputs")
    noted = [each for each in inputs if isinstance(each, dict)] if isinstance(inputs, list) else []
    scored = [each.get("sha256") for each in noted if _is_file(str(each.get("file")), responses)]
    if scored and content_hash(responses) not in scored:
        raise UserError(
            f"was scored from another {OUTPUT} than the one in this folder",
            file=results,
            hint="Run w2s-factory score again with --force",
        )


def _is_file(noted: str, file: Path) -> bool:
    """Return whether the path of an input in a manifest is that of a file, whose folder may have moved."""
    path = Path(noted)
    try:
        if path.exists():
            return path.samefile(file)
    except OSError:  # it cannot be a file: its name is too long
        return False
    return path.name == file.name and path.parent.name in ("", file.parent.name)


def _markers(said: object) -> Markers | None:
    if not isinstance(said, dict) or not all(isinstance(said.get(end), str) for end in ("start", "end")):
        return None
    return Markers(said["start"], said["end"])


def refuse_different_ways(sources: Sequence[RowSource], *, same_key: bool = False) -> NotedWay:
    """Return the way in which all these files were scored, that of the first.

    Files scored as published may differ in their mode, which changes no answer.

    Args:
        sources: The files.
        same_key: Whether their answer keys have to be the same, as one rule reads all of them.

    Raises:
        UserError: Two were scored in different ways, so that their answers cannot be compared.
    """
    ways = [noted_way(source) for source in sources]
    for source, way in zip(sources, ways, strict=True):
        if not way.finds_as(ways[0], same_key=same_key):
            raise UserError(
                f"was scored in another way ({_named(way)}) than {sources[0]} ({_named(ways[0])})",
                file=source,
                hint="Score both in the same way, or find the answers again with --extract",
                topic="scored-otherwise",
            )
    return ways[0]


def _named(way: NotedWay) -> str:
    """Return a way in words."""
    mode = "" if way.mode == PUBLISHED else f", mode {way.mode}"
    key = "" if way.answer_key is None else f", answer key {way.answer_key}"
    markers = "" if way.markers is None else f", thinking from {way.markers.start} to {way.markers.end}"
    return f"extract {way.extract}{mode}{key}{markers}"
