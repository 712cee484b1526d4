"""Questions to ask, and the prompts built from them: zero-shot, or after demonstrations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records import ANY, Form, PlacedTable, read_placed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from w2s_factory.records import Demonstration, Id, Place, RowSource, Test
    from w2s_factory.tasks import Task

QUESTIONS: Form[dict[str, Any]] = Form("questions", {"question": (str,)}, optional={"id": (int, str)})
"""The release's test form, of which only the question is needed; rows may have an id."""


@dataclass(frozen=True)
class Question:
    """A question and its id: the row's own `id`, or else its 0-based place in the file."""

    id: Id
    text: str


def split_file(task: Task, split: str, release: Path | None = None) -> Path:
    """Return the file of a split's questions, below the task's own root or else below `release`.

    Raises:
        UserError: The task has no such split, its root is not known, or the file does not exist.
    """
    named = task.split(split)
    if task.root is None and release is None:
        hint = "w2s-factory fetch makes a copy: name it with --release DIR or W2S_RELEASE, or use --questions"
        raise UserError(f"the questions of task {task.name} are in the published release", hint=hint)
    path = task.path(named.test, None if task.root else release)
    if not path.is_file():
        hint = "Build it from raw rows (w2s-factory build-data --stage test) and name it with --questions"
        raise UserError(f"no such file; expected the questions of split {split}", file=path, hint=hint)
    return path


def questions_of(task: Task, split: str, release: Path | None = None) -> RowSource:
    """Return the questions of a split: the rows of a task that reads them itself, or else `split_file`.

    Raises:
        UserError: As `split_file`; or a row cannot be read.
    """
    rows = task.own_rows(split)
    if rows is None:
        return split_file(task, split, release)
    tag = task.split(split).tag
    return PlacedTable(
        f"{split} of {task.argument}",
        ((place, _asked(task, raw, place, tag)) for place, raw in read_placed(rows, ANY)),
    )


def _asked(task: Task, raw: dict[str, Any], place: Place, tag: str) -> Test:
    """Return a raw row in the test form.

    Raises:
        UserError: It cannot be converted; names its place.
    """
    try:
        return task.test_row(raw, tag)
    except UserError as error:
        raise place.locate(error) from error


def read_questions(path: str | RowSource) -> list[Question]:
    """Return the questions of a file in the release's test form.

    Raises:
        UserError: The file cannot be read, a question is missing or cannot be encoded, or an id is duplicate.
    """
    questions: dict[Id, Question] = {}
    for position, (place, row) in enumerate(read_placed(path, QUESTIONS)):
        place.require_utf8(row, "question")
        question = Question(row.get("id", position), row["question"])
        if question.id in questions:
            raise place.error(f"expected different ids, got {question.id!r} again", field="id")
        questions[question.id] = question
    return list(questions.values())


def few_shot_prompt(task: Task, demonstrations: Sequence[Demonstration], question: str) -> str:
    """Return the prompt of a question with demonstrations; without any it is the zero-shot prompt.

    Each demonstration is `{prompt} {response}` followed by the task's `demonstration_end`.
    """
    shown = [f"{shown['prompt']} {shown['response']}{task.demonstration_end}" for shown in demonstrations]
    return "".join(shown) + task.prompt(question)


def zero_shot_prompt(task: Task, question: Question) -> str:
    """Return the zero-shot prompt of a question.

    Raises:
        UserError: The task's `prompt` fails; the error names the question's id.
    """
    try:
        return task.prompt(question.text)
    except UserError as error:
        raise error.at(name=question.id) from error


def prompt_of(
    task: Task, question: Question, demonstrations: Sequence[Demonstration], *, exclude_own: bool = False
) -> str:
    """Return the prompt of a question; with `exclude_own`, without a demonstration of the same question."""
    zero_shot = zero_shot_prompt(task, question)
    kept = [shown for shown in demonstrations if not (exclude_own and shown["prompt"] == zero_shot)]
    return few_shot_prompt(task, kept, question.text)


def demonstrated(
    task: Task, questions: Sequence[Question], demonstrations: Sequence[Demonstration]
) -> list[Id]:
    """Return the ids of the questions that are also demonstrations, so that prompts give the answer away."""
    shown = {demonstration["prompt"] for demonstration in demonstrations}
    return [question.id for question in questions if zero_shot_prompt(task, question) in shown]
