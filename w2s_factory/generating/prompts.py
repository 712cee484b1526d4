"""What a model is given: the zero-shot prompt of a question, or demonstrations and then that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.generating.questions import Question
    from w2s_factory.records import Demonstration, Id
    from w2s_factory.tasks import Task


def few_shot_prompt(task: Task, demonstrations: Sequence[Demonstration], question: str) -> str:
    """Each demonstration as `{prompt} {response}` with the task's end behind it, then the zero-shot prompt.

    With no demonstrations this is the zero-shot prompt.
    """
    shown = [f"{shown['prompt']} {shown['response']}{task.demonstration_end}" for shown in demonstrations]
    return "".join(shown) + task.prompt(question)


def zero_shot_prompt(task: Task, question: Question) -> str:
    """Return the zero-shot prompt of a question.

    Raises:
        UserError: The task fails; with the question's id.
    """
    try:
        return task.prompt(question.text)
    except UserError as error:
        raise error.at(name=question.id) from error


def prompt_of(
    task: Task, question: Question, demonstrations: Sequence[Demonstration], *, exclude_own: bool = False
) -> str:
    """The prompt of a question, `exclude_own` without demonstrations of that very question."""
    zero_shot = zero_shot_prompt(task, question)
    kept = [shown for shown in demonstrations if not (exclude_own and shown["prompt"] == zero_shot)]
    return few_shot_prompt(task, kept, question.text)


def demonstrated(
    task: Task, questions: Sequence[Question], demonstrations: Sequence[Demonstration]
) -> list[Id]:
    """The ids of questions which a demonstration answers, so that the prompt gives the answer away."""
    shown = {demonstration["prompt"] for demonstration in demonstrations}
    return [question.id for question in questions if zero_shot_prompt(task, question) in shown]
