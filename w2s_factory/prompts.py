"""Questions to ask, and the prompts and conversations built from them: zero-shot, or after demonstrations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.chat import Turn
from w2s_factory.errors import UserError
from w2s_factory.records import ANY, Form, PlacedTable, read_placed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
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

    Raises:
        UserError: The question of a demonstration cannot be found in its prompt.
    """
    asked = user_turn(task, question)
    own = {zero_shot_prompt(task, question), asked} if exclude_own else set()
    kept = [shown for shown in demonstrations if shown["prompt"] not in own]
    first = () if system is None else (Turn("system", system),)
    if one_text and kept:
        examples = "".join(
            f"{_demonstrated(task, shown, in_chat=False)} {shown['response']}{task.demonstration_end}"
            for shown in kept
        )
        return Conversation((*first, Turn("user", examples + zero_shot_prompt(task, question))), asked)
    turns = [
        turn
        for shown in kept
        for turn in (
            Turn("user", _demonstrated(task, shown, in_chat=True)),
            Turn("assistant", shown["response"]),
        )
    ]
    return Conversation((*first, *turns, Turn("user", asked)), asked)


def _demonstrated(task: Task, shown: Demonstration, *, in_chat: bool) -> str:
    """Return the prompt of a demonstration as the task words it in a chat, or outside.

    Raises:
        UserError: The question cannot be found in the prompt.
    """
    was_in_chat = True if "system" in shown else None
    prompt = reworded(task, shown["prompt"], in_chat=in_chat, was_in_chat=was_in_chat)
    if prompt is not None:
        return prompt
    problem = (
        f"the task {task.name} words prompts so that the question cannot be found in this demonstration's"
    )
    hint = "Choose demonstrations from responses that were asked in a chat" if in_chat else None
    raise UserError(problem, field="prompt", hint=hint).at(name=shown["id"])


_ANY_QUESTION = "\N{OBJECT REPLACEMENT CHARACTER}"
"""A text in place of a question, to find what a task writes before, between and after it."""


def question_in(task: Task, prompt: str, *, in_chat: bool | None = None) -> str | None:
    """Return the question that a zero-shot prompt asks; None if it cannot be recovered.

    It can be wherever the task writes the question as it is, once or several times. Where it does not, a
    prompt is not taken for a question in itself, which a user's turn is by default.

    Args:
        task: The task, which words prompts.
        prompt: The prompt.
        in_chat: Whether it is the user's turn in a chat, or the task's prompt; None if this is not known.
    """
    forms = {None: (task.prompt, task.user_turn), True: (task.user_turn,), False: (task.prompt,)}
    for worded in forms[in_chat]:
        try:
            parts = worded(_ANY_QUESTION).split(_ANY_QUESTION)
        except UserError:  # the task's own method cannot word every text
            return None
        for question in _between(parts, prompt):
            if _words(worded, question, prompt):
                return question
        if _has_in_order(parts, prompt):
            return None
    return None


def reworded(task: Task, prompt: str, *, in_chat: bool, was_in_chat: bool | None = None) -> str | None:
    """Return a zero-shot prompt as the task words it in a chat or outside; None if this cannot be known.

    Args:
        task: The task, which words prompts.
        prompt: The prompt, in either form.
        in_chat: Whether the user's turn in a chat is wanted, or the task's prompt.
        was_in_chat: Which of them the prompt is; None if this is not known.
    """
    if was_in_chat is in_chat or _words_both_alike(task):
        return prompt
    question = question_in(task, prompt, in_chat=was_in_chat)
    if question is None:
        return None
    return task.user_turn(question) if in_chat else task.prompt(question)


def _words_both_alike(task: Task) -> bool:
    """Return whether a task's prompts are the same in a chat and outside, as those that a file words are."""
    try:
        return task.prompt(_ANY_QUESTION) == task.user_turn(_ANY_QUESTION)
    except UserError:
        return False


def _between(parts: Sequence[str], prompt: str) -> Iterator[str]:
    """Yield the texts between these parts of a prompt, if they are equally long: each may be the question."""
    count = len(parts) - 1
    length = len(prompt) - sum(map(len, parts))
    if count == 0 or length < 0 or length % count:
        return
    begin = 0
    for part in parts[:-1]:
        begin += len(part)
        yield prompt[begin : begin + length // count]
        begin += length // count


def _words(worded: Callable[[str], str], question: str, prompt: str) -> bool:
    """Return whether a question is worded as this prompt."""
    try:
        return worded(question) == prompt
    except UserError:
        return False


def _has_in_order(parts: Sequence[str], prompt: str) -> bool:
    """Return whether a prompt begins and ends as these parts do, with all of them in order."""
    first, *others = parts
    end = len(first)
    if not prompt.startswith(first):
        return False
    for part in others[:-1]:
        found = prompt.find(part, end)
        if found < 0:
            return False
        end = found + len(part)
    return not others or (prompt.endswith(others[-1]) and len(prompt) - len(others[-1]) >= end)
