"""The rule by which answers are found and compared: one for scoring, Stage I, votes and pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.answers import math_verify
from w2s_factory.answers.comparison import comparison, decide, whole_answers
from w2s_factory.answers.extraction import AUTO, PUBLISHED, Extraction, parse_extraction
from w2s_factory.answers.thinking import DEFAULT_MARKERS, Markers, split_thinking
from w2s_factory.errors import UserError
from w2s_factory.processes import cores
from w2s_factory.records import Table, last_facts
from w2s_factory.scoring.equality import Equality, equality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from w2s_factory.answers.comparison import Comparison
    from w2s_factory.quantities import Workers
    from w2s_factory.records import RowSource
    from w2s_factory.tasks import Task

_ONE_PROCESS = 16_000_000
"""Characters of responses up to which starting worker processes takes longer than it saves."""

_CHUNK = 2_000_000
"""Characters of responses that a worker gets at once."""


class NotedWay(NamedTuple):
    """A way to find and compare answers, as manifests note it.

    Attributes:
        extract: The way to find them.
        mode: The mode of comparison.
        reasoning: The markers of thinking by `start` and `end`; None for those recognised by default.
    """

    extract: str = PUBLISHED
    mode: str = PUBLISHED
    reasoning: dict[str, str] | None = None

    @property
    def markers(self) -> Sequence[Markers]:
        """The markers of thinking."""
        return (Markers(**self.reasoning),) if self.reasoning else DEFAULT_MARKERS

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifest of votes and training sets notes; empty if answers are found as published."""
        if self.extract == PUBLISHED:
            return {}
        mode = {"mode": self.mode} if self.mode != PUBLISHED else {}
        return {"extract": self.extract} | mode | ({"reasoning": self.reasoning} if self.reasoning else {})


class Found(NamedTuple):
    """The final answer found in a response.

    Attributes:
        pred: The answer, normalised; "" if there is none.
        written: The answer as written; the whole answer part if Math-Verify extracts the answer itself.
        ended: Whether the thinking ended; False only if there is no answer for that reason.
    """

    pred: str
    written: str
    ended: bool = True


@dataclass(frozen=True, kw_only=True)
class ScoringRule:
    """A way to find the final answers of a task's responses, and to compare them.

    Attributes:
        task: The task.
        extraction: The way to find the final answer.
        mode: The mode of comparison.
        markers: The markers of thinking; None for those recognised by default.
        answer_key: The text that precedes the final answer, if not the task's own.
        any_format: Whether to find answers by `Task.extract_any`.
    """

    task: Task
    extraction: Extraction
    mode: str = "published"
    markers: Markers | None = None
    answer_key: str | None = None
    any_format: bool = False

    @cached_property
    def comparison(self) -> Comparison:
        """The comparison of two texts that `compared` returns, or of one with a `gold`.

        Raises:
            UserError: There is no such mode, or a package it needs is missing.
        """
        return whole_answers() if self.compares_whole_answers else comparison(self.mode, self.task.comparison)

    @property
    def compares_whole_answers(self) -> bool:
        """Whether Math-Verify gets the whole answer part of a response and extracts the answer itself."""
        return self.mode == "math-verify" and not self.extraction.is_published

    @property
    def settings(self) -> dict[str, Any]:
        """The way to find answers as manifests and reports note it; empty if it is the published one."""
        return self.way.facts | ({"mode": self.mode} if self.way.facts else {})

    def find(
        self,
        responses: Sequence[str],
        opened: Sequence[bool] | None = None,
        workers: Workers | None = None,
    ) -> list[Found]:
        """Return the final answer of each response.

        Args:
            responses: The texts that a model wrote.
            opened: Whether the prompt of each opened the thinking; None if that of none did.
            workers: The number of processes for many long responses; by default one for each core.

        Raises:
            UserError: A method of the task or a pattern fails; names the row, counted from 1.
        """
        opened = [False] * len(responses) if opened is None else opened
        if self.extraction.is_published:
            return self._published(responses, opened)
        search = partial(
            _search,
            self.extraction,
            self.task.answer_key if self.answer_key is None else self.answer_key,
            self.task.answers_are_numbers,
            self._markers,
            self.compares_whole_answers,
        )
        searched = _searched(search, list(zip(responses, opened, strict=True)), workers)
        preds = each_row(self.task.normalise, [written for written, _, _ in searched])
        return [
            Found(pred, whole or written, ended)
            for pred, (written, whole, ended) in zip(preds, searched, strict=True)
        ]

    def find_in(self, rows: Sequence[Mapping[str, Any]], workers: Workers | None = None) -> list[Found]:
        """Return the final answer of each output, result, or sample of a vote; as `find`."""
        responses = [row["response"] for row in rows]
        return self.find(responses, [row.get("prompt_opens_thinking", False) for row in rows], workers)

    def compared(self, found: Found) -> str:
        """Return the text of an answer that is compared: normalised, as written, or the whole answer part."""
        return found.written if self.comparison.as_written else found.pred

    def gold(self, written: str, normalised: str) -> str:
        """Return the text of a gold answer that is compared."""
        if self.compares_whole_answers:
            return math_verify.as_text(written)
        return written if self.comparison.as_written else normalised

    def equality(self, pairs: Iterable[tuple[str, str]]) -> Equality:
        """Return the equality of these pairs of texts that `compared` returned: answer and reference."""
        if self.mode == "published":
            return equality(self.task, pairs)
        return Equality(
            self.task, decide((pair for pair in pairs if all(pair)), self.comparison), decided=True
        )

    @property
    def way(self) -> NotedWay:
        """The way to find and compare answers, as `noted_way` returns it."""
        return NotedWay(
            self.extraction.way, self.mode, None if self.markers is None else asdict(self.markers)
        )

    @property
    def _markers(self) -> tuple[Markers, ...]:
        return DEFAULT_MARKERS if self.markers is None else (self.markers,)

    def _published(self, responses: Sequence[str], opened: Sequence[bool]) -> list[Found]:
        """Return the answers that the task's own method finds in whole responses."""
        own = self.task.extract_any if self.any_format else self._own
        written = each_row(own, responses)
        preds = each_row(self.task.normalise, written)
        return [
            Found(pred, text, bool(pred) or self._ended(response, is_opened))
            for pred, text, response, is_opened in zip(preds, written, responses, opened, strict=True)
        ]

    def _own(self, response: str) -> str:
        return self.task.extract(response, answer_key=self.answer_key)

    def _ended(self, response: str, opened: bool) -> bool:
        return split_thinking(response, opened=opened, markers=self._markers).closed


def scoring_rule(
    task: Task,
    mode: str = "published",
    *,
    extraction: str | Extraction | None = None,
    markers: Markers | None = None,
    answer_key: str | None = None,
    any_format: bool = False,
) -> ScoringRule:
    """Return the rule of a task by which answers are found and compared.

    Args:
        task: The task.
        mode: `published`, `symbolic` or `math-verify`.
        extraction: The way to find answers (`answers.extraction.WAYS`); None for the task's own.
        markers: The markers of thinking; None for those recognised by default.
        answer_key: The text that precedes the final answer, if not the task's own.
        any_format: Whether to find answers in any format (`Task.extract_any`).

    Raises:
        UserError: There is no such mode or way, a package is missing, or options exclude each other.
    """
    named = None if extraction is None else parse_extraction(extraction)
    if any_format and answer_key is not None:
        problem = "cannot be combined with answers in any format, which need no key"
        raise UserError(problem, field="--answer-key", hint="Leave one out")
    if any_format and named and not named.is_published:
        problem = "cannot be combined with answers in any format, which is another way to find answers"
        raise UserError(problem, field="extract", hint="Leave one out")
    way = parse_extraction(PUBLISHED if any_format else task.extraction) if named is None else named
    if answer_key is not None and way.way not in (PUBLISHED, AUTO):
        problem = f"cannot be combined with the way {way.way} to find answers, which reads no key"
        raise UserError(problem, field="--answer-key", hint="Leave one out")
    return ScoringRule(
        task=task,
        extraction=way,
        mode=mode,
        markers=markers,
        answer_key=answer_key,
        any_format=any_format,
    )


def each_row(method: Callable[[Any], Any], texts: Sequence[Any]) -> list[Any]:
    """Return a task's value for each text; the method is called once for each distinct text.

    Raises:
        UserError: The method fails; names the row, counted from 1.
    """
    found: dict[Any, Any] = {}
    for row, text in enumerate(texts, 1):
        if text not in found:
            try:
                found[text] = method(text)
            except UserError as error:
                if error.field is not None:  # an option that the task does not have, not a row's mistake
                    raise
                raise error.at(row=row) from error
    return [found[text] for text in texts]


def noted_way(source: RowSource) -> NotedWay:
    """Return the way in which results were scored or votes counted, as the manifest next to them notes it.

    It is the published one if the manifest has no line about the file, and for rows in memory.
    """
    said = {} if isinstance(source, Table) else last_facts(source)
    names = {name: said[name] for name in ("extract", "mode") if isinstance(said.get(name), str)}
    markers = said.get("reasoning")
    if isinstance(markers, dict) and all(isinstance(markers.get(end), str) for end in ("start", "end")):
        return NotedWay(**names, reasoning={"start": markers["start"], "end": markers["end"]})
    return NotedWay(**names)


def rule_of(task: Task, way: NotedWay) -> ScoringRule:
    """Return the rule of a task by which results were scored, as their manifest notes it.

    Raises:
        UserError: As `scoring_rule`.
    """
    markers = Markers(**way.reasoning) if way.reasoning else None
    return scoring_rule(task, way.mode, extraction=way.extract, markers=markers)


def refuse_different_ways(sources: Sequence[RowSource]) -> NotedWay:
    """Return the way in which all these files were scored.

    Files scored as published may differ in their mode, which changes no answer.

    Raises:
        UserError: Two were scored in different ways, so that their answers cannot be compared.
    """
    ways = [noted_way(source) for source in sources]
    for source, way in zip(sources, ways, strict=True):
        if way.facts != ways[0].facts:
            raise UserError(
                f"was scored in another way ({_named(way)}) than {sources[0]} ({_named(ways[0])})",
                file=source,
                hint="Score both in the same way, or find the answers again with --extract",
            )
    return ways[0]


def _named(way: NotedWay) -> str:
    """Return a way in words."""
    mode = "" if way.mode == PUBLISHED else f", mode {way.mode}"
    markers = f", thinking from {way.reasoning['start']} to {way.reasoning['end']}" if way.reasoning else ""
    return f"extract {way.extract}{mode}{markers}"


_Searched = tuple[str, str, bool]
"""The answer as written, the whole answer part if it is compared, and whether the thinking ended."""


def _search(
    extraction: Extraction,
    key: str,
    numbers: bool,
    markers: tuple[Markers, ...],
    whole: bool,
    chunk: Sequence[tuple[str, bool]],
) -> list[_Searched]:
    """Return what is found in each response of a chunk, given with whether its prompt opened the thinking.

    Raises:
        UserError: A pattern takes too long; names the row of the chunk.
    """
    found = []
    for row, (response, opened) in enumerate(chunk, 1):
        parts = split_thinking(response, opened=opened, markers=markers)
        try:
            written = extraction(parts.answer, key, numbers=numbers)
        except UserError as error:
            raise error.at(row=row) from error
        found.append((written, parts.answer if whole else "", parts.closed))
    return found


def _searched(
    search: Callable[[Sequence[tuple[str, bool]]], list[_Searched]],
    responses: Sequence[tuple[str, bool]],
    workers: Workers | None,
) -> list[_Searched]:
    """Return what is found in all responses, by worker processes where that takes less time."""
    size = sum(len(response) for response, _ in responses)
    if size < _ONE_PROCESS or (workers or cores()) == 1:
        return search(responses)
    from w2s_factory.answers.workers import in_chunks  # noqa: PLC0415  few responses need none

    step = max(1, len(responses) * _CHUNK // size)
    chunks = [responses[start : start + step] for start in range(0, len(responses), step)]
    found: list[_Searched] = []
    try:
        for part in in_chunks(search, chunks, workers):
            found += part
    except UserError as error:
        raise error if error.row is None else _at_row(error, len(found) + error.row) from error
    return found


def _at_row(error: UserError, row: int) -> UserError:
    """Return an error with another row."""
    return UserError(error.problem, row=row, field=error.field, hint=error.hint)
