"""Joining files by id, and votes with weak responses, refusing what does not belong together."""

from __future__ import annotations

import filecmp
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from w2s_factory.building.pairs import WeakAnswer, majority_answer
from w2s_factory.errors import HookError, UserError
from w2s_factory.records import OUTPUT, SFT, VOTE, Form, Table, read, read_placed
from w2s_factory.scoring.equality import equality

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.records import Id, Place, Result, RowSource, Sft, Vote
    from w2s_factory.scoring.equality import Equality
    from w2s_factory.tasks import Task

RowT = TypeVar("RowT")

SAME_SPLIT = "Both files must answer the same questions"


def rows_by_id(path: str | RowSource, form: Form[RowT]) -> dict[Id, tuple[Place, RowT]]:
    """The rows of a file with their places, by id.

    Raises:
        UserError: The file can't be read as `form`, or an id is a duplicate.
    """
    rows: dict[Id, tuple[Place, Any]] = {}
    for place, row in read_placed(path, form):
        name = row["id"]  # type: ignore[index]  # every form this is called with has an id
        if name in rows:
            raise place.error(f"duplicate id {name!r}", field="id")
        rows[name] = place, row
    return rows


def final_answer(task: Task, row: Any, file: object) -> str:
    """Return the final answer of a results row.

    Raises:
        UserError: The task fails; with the file and the row's id.
    """
    try:
        return task.answer(row)
    except UserError as error:
        raise error.at(file=file, name=row["id"]) from error


@contextmanager
def naming_questions(pairs: Iterable[tuple[Id, tuple[str, str]]], file: object) -> Iterator[None]:
    """Name the question where a task's comparison of one of these pairs of answers fails.

    Args:
        pairs: The id of each question with the two answers compared.
        file: The file of the questions.
    """
    try:
        yield
    except HookError as error:
        name = next((name for name, pair in pairs if pair == error.arguments), None)
        raise error.at(file=file, name=name) from error


def identical(first: RowSource, second: RowSource) -> bool:
    """Return whether two files hold the same bytes, which can be meant; one file on both sides cannot.

    Rows in memory are compared by their content.

    Raises:
        UserError: Both are one file, by whatever path or link.
    """
    if isinstance(first, Table) or isinstance(second, Table):
        return isinstance(first, Table) and isinstance(second, Table) and first.sha256 == second.sha256
    try:
        one = Path(first).samefile(second)
        same = one or filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False  # who reads them says what is wrong
    if one:
        problem = "expected results of another model, got the same file on both sides"
        raise UserError(problem, file=second, hint=f"It is the same file as {first}")
    return same


def asks_the_same(zero_shot: str, other: str) -> bool:
    """Whether two prompts ask the same question: a few-shot prompt ends with the zero-shot one."""
    return zero_shot != "" and other.endswith(zero_shot)


def refuse_empty(path: str | RowSource, form: Form[Any]) -> None:
    """Refuse a file without rows.

    Raises:
        UserError: It has none, or its first is not of the form.
    """
    if not any(True for _ in islice(read_placed(path, form), 1)):
        raise UserError(f"holds no {form.name}", file=path)


def weak_responses(task: Task, source: RowSource) -> dict[Id, WeakAnswer]:
    """The weak model's responses by id, from its results or from its full weak data.

    Full weak data has no `pred`: there the final answer is extracted as the task does it.

    Raises:
        UserError: The file is neither, or has a duplicate id.
    """
    if _is_full_weak(source):
        full_weak = rows_by_id(source, SFT)
        return {
            name: WeakAnswer(row["content"], row["output"], _extracted(task, place, row), None)
            for name, (place, row) in full_weak.items()
        }
    results: dict[Id, tuple[Place, Result]] = rows_by_id(source, task.results_form)
    return {
        name: WeakAnswer(row["prompt"], row["response"], final_answer(task, row, source), row.get("result"))
        for name, (_, row) in results.items()
    }


def _extracted(task: Task, place: Place, row: Sft) -> str:
    try:
        return task.normalise(task.extract(row["output"]))
    except UserError as error:
        raise place.locate(error, row["id"]) from error


def weak_texts(source: RowSource) -> dict[Id, str]:
    """The weak model's responses by id, as text only: also from outputs that were never scored.

    Raises:
        UserError: The file is neither outputs nor full weak data, or has a duplicate id.
    """
    if _is_full_weak(source):
        return {name: row["output"] for name, (_, row) in rows_by_id(source, SFT).items()}
    return {name: row["response"] for name, (_, row) in rows_by_id(source, OUTPUT).items()}


def joined(
    weak: dict[Id, WeakAnswer], votes: RowSource, source: RowSource
) -> Iterator[tuple[WeakAnswer, Vote]]:
    """Each vote with its weak response, in the order of the votes.

    Raises:
        UserError: A vote has no weak response or answers another question, a weak response no vote; an
            id is a duplicate, a confidence is not a share, or a vote has no majority.
    """
    left = dict(weak)
    for place, vote in read_placed(votes, VOTE):
        name = vote["id"]
        if name not in weak:
            raise place.error(f"the id {name!r} is not in {source}", field="id", hint=SAME_SPLIT)
        if name not in left:
            raise place.error(f"duplicate id {name!r}", field="id")
        _check(place, vote)
        response = left.pop(name)
        if not asks_the_same(vote["prompt"], response.prompt):
            raise place.error(
                f"the id {name!r} names another question in {source}", field="prompt", hint=SAME_SPLIT
            )
        yield response, vote
    for name in islice(left, 1):
        raise UserError(f"the id {name!r} of {source} has no vote", file=votes, hint=SAME_SPLIT)


def compared(questions: Iterable[tuple[WeakAnswer, Vote]]) -> Iterator[tuple[Id, tuple[str, str]]]:
    """Yield the id of each question with the two answers compared: the weak one and the majority's."""
    return ((vote["id"], (weak.pred, majority_answer(vote))) for weak, vote in questions)


def vote_equality(task: Task, questions: Iterable[tuple[WeakAnswer, Vote]]) -> Equality:
    """Return the equality of each question's weak answer and its majority's."""
    return equality(task, (pair for _, pair in compared(questions)))


def _is_full_weak(source: RowSource) -> bool:
    rows: Iterator[dict[str, Any]] = read(source, Form("rows", {}))
    return any("content" in row for row in islice(rows, 1))


def _check(place: Place, vote: Vote) -> None:
    if not 0 <= vote["confidence"] <= 1:
        raise place.error(f"expected a share from 0 to 1, got {vote['confidence']}", field="confidence")
    if not vote["pos_responses"]:
        raise place.error("holds no response with the majority answer", field="pos_responses")
    for pool in ("pos_responses", "neg_responses"):
        for sample in vote[pool]:
            if not _is_sample(sample):
                raise place.error("expected objects with texts response and pred, and result", field=pool)


def _is_sample(sample: Any) -> bool:
    """Whether it is a `Sample`; `result` is missing where the gold is not known."""
    if not isinstance(sample, dict):
        return False
    texts = (sample.get("response"), sample.get("pred"))
    return all(isinstance(text, str) for text in texts) and isinstance(sample.get("result", False), bool)
