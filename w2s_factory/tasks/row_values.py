"""The parts of a task file's row: question, gold answer and solution, and the solution as it is taught."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError, short
from w2s_factory.tasks.row_template import RowTemplate
from w2s_factory.tasks.task_rows import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.records import Id
    from w2s_factory.tasks.task_file import AnswerSection, Definition

_EXACT_IN_FLOAT = 2**53
"""From here on, floats no longer hold every whole number."""


@dataclass(frozen=True)
class RowReader:
    """Reader of the parts of a row that a task file describes.

    Attributes:
        definition: The task file.
    """

    definition: Definition

    @cached_property
    def prompt(self) -> RowTemplate | None:
        """The template of the prompt."""
        text = self.definition.content.prompt
        return None if text is None else RowTemplate(text)

    @cached_property
    def asks_question_alone(self) -> bool:
        """Whether a question is enough for its prompt, so that this can be rendered when it is asked."""
        if self.definition.content.columns.question is None:
            return False
        return self.prompt is None or self.prompt.variables <= {"question"}

    def question(self, row: Mapping[str, Any]) -> str:
        """Return the question of a row, or the rendered prompt if it needs more than the question.

        Raises:
            UserError: The question is blank or not text, or the prompt cannot be rendered.
        """
        column = self.definition.content.columns.question
        found = "" if column is None else row.get(column)
        if self.prompt is not None and not self.asks_question_alone:
            return self.rendered_prompt(self._variables(row))
        if not isinstance(found, str) or not found.strip():
            problem = "is blank" if isinstance(found, str) else f"expected text, got {short(found)}"
            raise UserError(problem, field=column)
        if self.prompt is not None:  # it is rendered when the question is asked, and checked here
            self.rendered_prompt({"question": found} | ({ROW_ID: row[ROW_ID]} if ROW_ID in row else {}))
        return found

    def row_id(self, row: Mapping[str, Any]) -> Id | None:
        """Return the id of a row; None if its place in its file is its id."""
        found = row.get(ROW_ID, row.get(self.definition.content.columns.id or ""))
        return found if isinstance(found, (int, str)) and not isinstance(found, bool) else None

    def rendered_prompt(self, values: Mapping[str, Any]) -> str:
        """Return the prompt for the values of its variables.

        Raises:
            UserError: It cannot be rendered, or is blank; with its line.
        """
        return self.rendered("prompt", self.prompt or RowTemplate(""), values)

    def rendered(self, key: str, template: RowTemplate, values: Mapping[str, Any]) -> str:
        """Return a template's text for a row.

        Args:
            key: The template's key in the task file.
            template: The template.
            values: The values of its variables.

        Raises:
            UserError: It cannot be rendered, or is blank; with the line of the template.
        """
        try:
            return template.render({name: value for name, value in values.items() if name != ROW_ID})
        except ValueError as error:
            row = f" (row of id {short(values[ROW_ID])})" if ROW_ID in values else ""
            raise self.definition.error(f"{error}{row}", key) from None

    def answer(self, row: Mapping[str, Any]) -> str:
        """Return the gold answer of a row as written; empty if it is not known.

        Raises:
            UserError: It is neither text nor a number, or the rule finds none in it.
        """
        rule = self.definition.content.columns.answer
        if rule is None:
            return ""
        found = _as_text(row.get(rule.column), rule.column)
        if found:
            found = self._found(rule, found)
        return found

    def _found(self, rule: AnswerSection, text: str) -> str:
        try:
            found = rule.of(text)
        except UserError as error:
            raise self.definition.error(
                error.problem, "columns", "answer", "regex", hint=error.hint
            ) from None
        if not found:
            where = f"{self.definition.path}: columns: answer: regex"
            problem = f"the regex {rule.regex!r} finds no answer in it"
            raise UserError(problem, field=rule.column, hint=f"See {where}")
        return found

    def solution(self, row: Mapping[str, Any]) -> str:
        """Return the gold solution of a row as written; empty if there is none.

        Raises:
            UserError: It is neither text nor a number.
        """
        column = self.definition.content.columns.solution
        return "" if column is None else _as_text(row.get(column), column)

    def output(self, row: Mapping[str, Any]) -> str:
        """Return the gold solution as a model is taught to write it.

        Raises:
            UserError: The row has no solution, or the template cannot be rendered.
        """
        template, solution = self.definition.content.output, self.solution(row)
        if template is not None:
            values = self._variables(row, answer=self.answer(row), solution=solution)
            return self.rendered("output", RowTemplate(template), values)
        if not solution:
            column = self.definition.content.columns.solution
            hint = 'Name their column, or say how a solution is written, as in output: "{{ answer }}"'
            if column is not None:
                raise UserError("is blank, so there is nothing to teach", field=column)
            raise UserError(f"the task {self.definition.name} has no gold solutions", hint=hint)
        return solution

    def _variables(self, row: Mapping[str, Any], **parts: Any) -> dict[str, Any]:
        """Return the variables of a template: the columns, and the parts of the row by their names."""
        column = self.definition.content.columns.question
        question = {} if column is None else {"question": row.get(column)}
        return {**row, **question, **{name: value for name, value in parts.items() if value != ""}}


def _as_text(value: Any, column: str) -> str:
    """Return a value of a column as text; empty if it is missing.

    A float that is whole is written without a point: tables with missing values turn whole numbers to floats.

    Raises:
        UserError: It is neither text nor a number.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise UserError(f"expected text or a number, got {short(value)}", field=column)
    if isinstance(value, Decimal):
        return f"{value:f}"
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_IN_FLOAT
    return str(int(value) if whole else value)
