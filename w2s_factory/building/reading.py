"""Reading of responses for training sets: the part that is trained on (`--train-on`), and final answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.answers.extraction import PUBLISHED
from w2s_factory.answers.thinking import (
    DEFAULT_MARKERS,
    RESPONSE_PARTS,
    Markers,
    ResponsePart,
    split_thinking,
    with_start,
)
from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, Table, last_facts
from w2s_factory.scoring.equality import equality
from w2s_factory.scoring.results import at_its_row
from w2s_factory.scoring.rule import NotedWay, ScoringRule, refuse_different_ways, scoring_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from w2s_factory.answers.extraction import Extraction
    from w2s_factory.building.dataset_files import Recipe
    from w2s_factory.records import Form, Result, RowSource
    from w2s_factory.scoring.equality import Equality
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
class Reading:
    """How a stage reads responses.

    Attributes:
        train_on: The part that is trained on.
        markers: The markers of thinking; None for those recognised by default.
        extraction: The way in which final answers are found in responses again; None to take them as scored,
            unless markers or a mode are named: then the task's own.
        mode: The mode that compares answers found again; by default `published`.

    Raises:
        UserError: `train_on` is not one of the parts.
    """

    train_on: ResponsePart = "whole"
    markers: Markers | None = None
    extraction: str | Extraction | None = None
    mode: str | None = None

    def __post_init__(self) -> None:
        if self.train_on not in RESPONSE_PARTS:
            problem = f"expected {' or '.join(RESPONSE_PARTS)}, got {self.train_on!r}"
            raise UserError(problem, field="train_on")

    @property
    def reads_again(self) -> bool:
        """Whether final answers are found in the responses again."""
        return any(each is not None for each in (self.extraction, self.mode, self.markers))

    def way(self, task: Task, *sources: RowSource) -> NotedWay:
        """Return the way in which answers are found: that of the files, or the one to find them again.

        Raises:
            UserError: Answers are taken as scored, and the files were scored in different ways.
        """
        return self.rule(task).way if self.reads_again else refuse_different_ways(sources)

    def rule(self, task: Task) -> ScoringRule:
        """Return the rule by which answers are found and compared.

        Raises:
            UserError: There is no such mode or way, or a package is missing.
        """
        return scoring_rule(task, self.mode or PUBLISHED, extraction=self.extraction, markers=self.markers)

    def facts(self, way: NotedWay | None = None) -> dict[str, Any]:
        """Return what the manifest notes of it: what differs from the published way."""
        trained = {} if self.train_on == "whole" else {"train_on": self.train_on}
        return trained | (way.facts if way else {})

    def like(self, way: NotedWay) -> Reading:
        """Return this reading with answers found as in votes or results, which were found in that way."""
        if self.reads_again or not way.facts:
            return self
        markers = Markers(**way.reasoning) if way.reasoning else None
        return replace(self, extraction=way.extract, markers=markers)

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
        return OUTPUT if self.reads_again else task.results_form

    def answers(
        self, task: Task, rows: Sequence[Mapping[str, Any]], file: object, *, scored: bool = True
    ) -> list[Answer]:
        """Return the final answer of each result; none where there is nothing in it to train on.

        Args:
            task: The task.
            rows: The results.
            file: Their file, for messages.
            scored: Whether rows have the answers that scoring found; otherwise they are found in any case.

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
                raise at_its_row(error, file, rows) from error
        none = Answer("", "")
        return [
            answer if self.text(row["response"], row) is not None else none
            for row, answer in zip(rows, found, strict=True)
        ]

    def equality(self, task: Task, pairs: Iterable[tuple[str, str]]) -> Equality:
        """Return the equality of these pairs of compared texts: answer and reference."""
        return self.rule(task).equality(pairs) if self.reads_again else equality(task, pairs)

    def text(self, response: str, row: Mapping[str, Any]) -> str | None:
        """Return the text of a response that is trained on; None if there is nothing to train on.

        There is nothing where the request failed, where the thinking never ended, or where the answer is
        wanted and empty. If the prompt opened the thinking, the whole response begins with the marker
        that is in the prompt and not in the response: LLaMA-Factory's prompts end before it.

        Args:
            response: The response.
            row: The output, result, vote's sample or training row that it is from.
        """
        opened = row.get("prompt_opens_thinking", False)
        if "error" in row:
            return None
        parts = split_thinking(response, opened=opened, markers=self._markers)
        if not parts.closed:
            return None
        if self.train_on == "answer":
            return parts.answer or None
        return with_start(response, self.markers) if opened else response

    def is_trainable(self, *rows: Result) -> bool:
        """Return whether the responses of all rows can be trained on."""
        return all(self.text(row["response"], row) is not None for row in rows)

    @property
    def _markers(self) -> tuple[Markers, ...]:
        return DEFAULT_MARKERS if self.markers is None else (self.markers,)


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


def trainable_texts(response: str, row: Mapping[str, Any], markers: Markers | None) -> set[str]:
    """Return the texts of a response that a model may be trained on: the whole one, and its answer."""
    texts = (Reading(train_on=part, markers=markers).text(response, row) for part in RESPONSE_PARTS)
    return {text for text in texts if text is not None}
