"""Questions to ask, and the prompts and conversations built from them: zero-shot, or after demonstrations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.chat import Turn
from w2s_factory.errors import UserError
from w2s_factory.records import ANY, Form, PlacedTable, read_placed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
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


def read_questions(path: str | RowSource, sources: Collection[str] | None = None) -> list[Question]:
    """Return the questions of a file in the release's test form.

    Args:
        path: The file.
        sources: The values that `source` may have (`Task.question_sources`); None for any or none.

    Raises:
        UserError: The file cannot be read, a question is missing or cannot be encoded, an id is duplicate, or
            a row is from another source.
    """
    questions: dict[Id, Question] = {}
    for position, (place, row) in enumerate(read_placed(path, QUESTIONS)):
        place.require_utf8(row, "question")
        if sources is not None and row.get("source") not in sources:
            hint = "Turn raw rows into the test form with w2s-factory build-data --stage test"
            problem = "expected a question with which this task has rendered its prompt"
            raise place.error(problem, field="source", hint=hint)
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
    own = {zero_shot, user_turn(task, question)}
    kept = [shown for shown in demonstrations if not (exclude_own and shown["prompt"] in own)]
    return few_shot_prompt(task, kept, question.text)


def demonstrated(
    task: Task, questions: Sequence[Question], demonstrations: Sequence[Demonstration]
) -> list[Id]:
    """Return the ids of the questions that are also demonstrations, so that prompts give the answer away."""
    shown = {demonstration["prompt"] for demonstration in demonstrations}
    return [
        question.id
        for question in questions
        if not shown.isdisjoint((zero_shot_prompt(task, question), user_turn(task, question)))
    ]


def user_turn(task: Task, question: Question) -> str:
    """Return the user's turn that asks a question in a chat.

    Raises:
        UserError: The task's `user_turn` fails; the error names the question's id.
    """
    try:
        return task.user_turn(question.text)
    except UserError as error:
        raise error.at(name=question.id) from error


class Conversation(NamedTuple):
    """A question in a chat.

    Attributes:
        turns: The system prompt if there is one, demonstrations, and the user's turn.
        user_turn: The question as the user puts it, without demonstrations.
    """

    turns: tuple[Turn, ...]
    user_turn: str


def conversation_of(
    task: Task,
    question: Question,
    demonstrations: Sequence[Demonstration],
    *,
    system: str | None = None,
    one_text: bool = False,
    exclude_own: bool = False,
) -> Conversation:
    """Return the conversation that asks a question.

    Args:
        task: The task, which words the user's turns.
        question: The question.
        demonstrations: Questions with responses, from a chat or not.
        system: The system prompt.
        one_text: Put demonstrations and question into one turn of the user, as the published prompt has
            them, instead of a turn for each question and each response.
        exclude_own: Leave out a demonstration of the same question.
    """
    asked = user_turn(task, question)
    shown = [(question_in(task, shown["prompt"]), shown["response"]) for shown in demonstrations]
    kept = [(text, response) for text, response in shown if not (exclude_own and text == question.text)]
    first = () if system is None else (Turn("system", system),)
    if one_text and kept:
        examples = "".join(
            f"{task.prompt(text)} {response}{task.demonstration_end}" for text, response in kept
        )
        return Conversation((*first, Turn("user", examples + zero_shot_prompt(task, question))), asked)
    turns = [
        turn
        for text, response in kept
        for turn in (Turn("user", task.user_turn(text)), Turn("assistant", response))
    ]
    return Conversation((*first, *turns, Turn("user", asked)), asked)


_ANY_QUESTION = "\N{OBJECT REPLACEMENT CHARACTER}"
"""A text in place of a question, to find what a task writes before and after it."""


def question_in(task: Task, prompt: str) -> str:
    """Return the question that a zero-shot prompt asks, be it the task's prompt or a user's turn.

    A prompt in neither form is returned as it is.
    """
    for worded in (task.prompt, task.user_turn):
        try:
            before, found, after = worded(_ANY_QUESTION).partition(_ANY_QUESTION)
            question = prompt.removeprefix(before).removesuffix(after)
            if found and worded(question) == prompt:
                return question
        except UserError:  # the task's own method cannot word every text
            continue
    return prompt
