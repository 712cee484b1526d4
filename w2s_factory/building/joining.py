"""Joining files by id, refusing what does not answer the same questions."""

from __future__ import annotations

import filecmp
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from w2s_factory.errors import HookError, UserError
from w2s_factory.records import Table, read_placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.records import Form, Id, Place, RowSource
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
