"""The rule by which answers are found and compared: one for scoring, Stage I, votes and pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.answers import math_verify
from w2s_factory.answers.comparison import comparison, decide, whole_answers
from w2s_factory.answers.extraction import AUTO, PUBLISHED, Extraction, parse_extraction
from w2s_factory.answers.thinking import is_opened, possible_markers, split_thinking
from w2s_factory.errors import UserError
from w2s_factory.processes import cores
from w2s_factory.scoring.equality import Equality, equality
from w2s_factory.scoring.noted_way import NotedWay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from w2s_factory.answers.comparison import Comparison
    from w2s_factory.answers.thinking import Markers
    from w2s_factory.quantities import Workers
    from w2s_factory.tasks import Task

_ONE_PROCESS = 16_000_000
"""Characters of responses up to which starting worker processes takes longer than it saves."""

_CHUNK = 2_000_000
"""Characters of responses that a worker gets at once."""


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
            possible_markers(self.markers),
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
        return self.find(responses, [is_opened(row) for row in rows], workers)

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
        return NotedWay(self.extraction.way, self.mode, self.markers, self.answer_key, self.any_format)

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
        return split_thinking(response, opened=opened, markers=possible_markers(self.markers)).closed


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


def rule_of(task: Task, way: NotedWay) -> ScoringRule:
    """Return the rule of a task by which results were scored, as their manifest notes it.

    Raises:
        UserError: As `scoring_rule`.
    """
    return scoring_rule(
        task,
        way.mode,
        extraction=None if way.any_format else way.extract,
        markers=way.markers,
        answer_key=way.answer_key,
        any_format=way.any_format,
    )


def rule_again(
    task: Task,
    way: NotedWay | None,
    *,
    extraction: str | Extraction | None = None,
    mode: str | None = None,
    markers: Markers | None = None,
) -> ScoringRule:
    """Return the rule by which answers are found again: as they were scored, but for what is named.

    Args:
        task: The task.
        way: The way in which they were scored; None if it is not known: then the task's own.
        extraction: The way to find them; None for that by which they were scored.
        mode: The mode that compares them; None for that which compares them as scored, and the published
            one for those found in another way.
        markers: The markers of thinking; None for those by which they were scored.

    Raises:
        UserError: As `scoring_rule`.
    """
    way = way or NotedWay(task.extraction)
    extract = way.extract if extraction is None else parse_extraction(extraction).way
    as_scored = extraction is None and way.compares_as_scored
    return rule_of(
        task,
        NotedWay(
            extract,
            mode or (way.mode if as_scored else PUBLISHED),
            way.markers if markers is None else markers,
            way.answer_key if extract in (PUBLISHED, AUTO) else None,
            any_format=way.any_format and extraction is None,
        ),
    )


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
