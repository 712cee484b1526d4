"""Rule by which a stage reads responses: the part that is trained on (`--train-on`), and final answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.answers.thinking import RESPONSE_PARTS, ResponsePart, text_of
from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, Table, last_facts
from w2s_factory.scoring.equality import equality
from w2s_factory.scoring.noted_way import NotedWay, known_way, noted_way, refuse_different_ways
from w2s_factory.scoring.results import at_its_row
from w2s_factory.scoring.rule import rule_again

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from w2s_factory.answers.extraction import Extraction
    from w2s_factory.answers.thinking import Markers
    from w2s_factory.building.dataset_files import Recipe
    from w2s_factory.records import Form, Result, RowSource
    from w2s_factory.scoring.equality import Equality
    from w2s_factory.scoring.rule import ScoringRule
    from w2s_factory.tasks import Task


class Answer(NamedTuple):
    """The final answer of a response.

    Attributes:
        pred: The answer, normalised; "" if there is none.
        compared: The text by which it is compared; "" equals nothing.
    """

    pred: str
    compared: str


@dataclass(frozen=True, kw_only=True)
class ResponseRule:
    """A rule by which a stage reads responses: as the user says, and for the rest as they were scored.

    Attributes:
        train_on: The part that is trained on.
        markers: The markers of thinking; None for those by which the responses were scored.
        extraction: The way in which final answers are found in responses again; None to take them as scored,
            or to find them in that way if markers or a mode are named, or if their mode compares more than
            their `pred`.
        mode: The mode that compares answers; None for that by which they were scored, and the published one
            if a way to find them is named.
        scored: The way in which the responses were scored; None if it is not known. See `of`.

    Raises:
        UserError: `train_on` is not one of the parts.
    """

    train_on: ResponsePart = "whole"
    markers: Markers | None = None
    extraction: str | Extraction | None = None
    mode: str | None = None
    scored: NotedWay | None = None

    def __post_init__(self) -> None:
        if self.train_on not in RESPONSE_PARTS:
            problem = f"expected {' or '.join(RESPONSE_PARTS)}, got {self.train_on!r}"
            raise UserError(problem, field="train_on")

    def of(self, source: RowSource) -> ResponseRule:
        """Return the same for the responses of a file, as the manifest next to it notes their scoring."""
        return replace(self, scored=known_way(source))

    def of_full_weak(self, source: RowSource, votes: RowSource) -> ResponseRule:
        """Return the same for full weak data, which was not scored: answers are found as for the votes.

        Args:
            source: The full weak data, whose manifest may note the markers and the answer key of its own.
            votes: The votes.
        """
        own, way = noted_way(source), known_way(votes) or NotedWay()
        key = own.answer_key or (None if way.is_published else way.answer_key)
        return replace(self, scored=way._replace(markers=own.markers or way.markers, answer_key=key))

    @property
    def _names_a_way(self) -> bool:
        return any(each is not None for each in (self.extraction, self.mode, self.markers))

    @property
    def reads_again(self) -> bool:
        """Whether final answers are found in the responses again, as named or as scored."""
        return self._names_a_way or (self.scored is not None and self.scored.compares_as_scored)

    def way(self, task: Task, *sources: RowSource) -> NotedWay:
        """Return the way in which answers are found in files that are compared.

        Raises:
            UserError: No way to find them again is named, and the files were scored in different ways.
        """
        if self.extraction is None:
            scored = refuse_different_ways(sources)
        return self.of(sources[0]).rule(task).way if self._names_a_way else scored

    def rule(self, task: Task) -> ScoringRule:
        """Return the rule by which answers are found and compared.

        Raises:
            UserError: There is no such mode or way, or a package is missing.
        """
        named = {"extraction": self.extraction, "mode": self.mode, "markers": self.markers}
        return rule_again(task, self.scored, **named)  # type: ignore[arg-type]  # each has its type

    def facts(self, way: NotedWay | None = None) -> dict[str, Any]:
        """Return what the manifest notes of it: what differs from the published way.

        Args:
            way: The way in which answers are found; None if they are not, so that only the markers and the
                answer key are noted.
        """
        trained = {} if self.train_on == "whole" else {"train_on": self.train_on}
        if way is not None:
            return trained | way.facts
        scored = self.scored or NotedWay()
        return trained | scored._replace(markers=self._markers).facts_on_responses

    def refuse_other_part(self, source: RowSource) -> None:
        """Refuse full weak data of answers alone where whole responses are trained on.

        Raises:
            UserError: The manifest next to it notes that it was built with answers alone.
        """
        noted = "whole" if isinstance(source, Table) else last_facts(source).get("train_on", "whole")
        if noted != "whole" and self.train_on == "whole":
            problem = "has the answers alone, without the thinking"
            hint = "Name the results instead, or train on answers: --train-on answer"
            raise UserError(problem, file=source, hint=hint)

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return a recipe that trains on what is read: with answers alone, the model learns not to think."""
        return recipe if self.train_on == "whole" else replace(recipe, thinking="off")

    def form(self, task: Task) -> Form[Any]:
        """Return the form of results that Stage I needs."""
        return OUTPUT if self._names_a_way else task.results_form

    def answers(
        self,
        task: Task,
        rows: Sequence[Mapping[str, Any]],
        file: object,
        *,
        scored: bool = True,
        first: int = 0,
    ) -> list[Answer]:
        """Return the final answer of each result; none where there is nothing in it to train on.

        Args:
            task: The task.
            rows: The results.
            file: Their file, for messages.
            scored: Whether rows have the answers that scoring found; otherwise they are found in any case.
            first: The number of rows of the file before these.

        Raises:
            UserError: A method of the task or a pattern fails; names the file and the row's id.
        """
        if scored and not self.reads_again:
            found = [_as_scored(task, row, file) for row in rows]
        else:
            rule = self.rule(task)
            try:
                found = [Answer(each.pred, rule.compared(each)) for each in rule.find_in(rows)]
            except UserError as error:
                raise at_its_row(error, file, rows, first) from error
        none = Answer("", "")
        return [
            answer if self.text(row) is not None else none for row, answer in zip(rows, found, strict=True)
        ]

    def equality(self, task: Task, pairs: Iterable[tuple[str, str]]) -> Equality:
        """Return the equality of these pairs of compared texts: answer and reference."""
        return self.rule(task).equality(pairs) if self.reads_again else equality(task, pairs)

    def text(self, row: Mapping[str, Any]) -> str | None:
        """Return the text of a response that is trained on; None if there is nothing to train on.

        There is nothing where the request failed, where the thinking never ended, or where the answer is
        wanted and empty; otherwise see `answers.thinking.text_of`.

        Args:
            row: The output, result, vote's sample or training row.
        """
        if self.train_on == "answer":
            return text_of(row, self._markers, answer_alone=True) or None
        return text_of(row, self._markers, answer_alone=False)

    def is_trainable(self, *rows: Result) -> bool:
        """Return whether the responses of all rows can be trained on."""
        return all(self.text(row) is not None for row in rows)

    @property
    def _markers(self) -> Markers | None:
        return self.scored.markers if self.markers is None and self.scored else self.markers


def _as_scored(task: Task, row: Mapping[str, Any], file: object) -> Answer:
    """Return the final answer of a result as it was scored.

    Raises:
        UserError: The task's method fails; names the file and the row's id.
    """
    try:
        pred = task.answer(row)  # type: ignore[arg-type]  # a result
    except UserError as error:
        raise error.at(file=file, name=row["id"]) from error
    return Answer(pred, pred)


def trainable_texts(row: Mapping[str, Any], markers: Markers | None) -> set[str]:
    """Return the texts of a response that a model may be trained on: the whole one, and its answer."""
    texts = (ResponseRule(train_on=part, markers=markers).text(row) for part in RESPONSE_PARTS)
    return {text for text in texts if text is not None}
