"""Results of two models on the same questions, joined by id; results that do not match are refused."""

from __future__ import annotations

import filecmp
from array import array
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from w2s_factory.building.prompt_form import zero_shot
from w2s_factory.errors import HookError, UserError
from w2s_factory.records import RowIndex, StoredRows, Table, read, read_placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.records import Form, Id, Place, Result, RowSource
    from w2s_factory.tasks import Task

RowT = TypeVar("RowT")

SAME_SPLIT = "Both files must answer the same questions"


def first_row(source: RowSource, form: Form[RowT]) -> RowT:
    """Return the first row of a file, and refuse a file without rows.

    Raises:
        UserError: The file has no rows, or its first row is not of the form.
    """
    row = next(read(source, form), None)
    if row is None:
        raise UserError(f"holds no {form.name}", file=source)
    return row


def distinct_rows(source: RowSource, form: Form[RowT]) -> Iterator[tuple[Place, RowT]]:
    """Yield the rows of a file with their places.

    Raises:
        UserError: The file cannot be read as `form`, or has a duplicate id.
    """
    seen: set[Id] = set()
    for place, row in read_placed(source, form):
        name = row["id"]  # type: ignore[index]  # every form this is called with has an id
        if name in seen:
            raise place.error(f"duplicate id {name!r}", field="id")
        seen.add(name)
        yield place, row


class JoinedResults:
    """The results of two models on the same questions, in the order of the weak results.

    They are read again whenever they are needed, so that memory does not grow with the rows.

    Args:
        task: The task, which writes prompts.
        weak: The weak side's results.
        icl: The icl side's results on the same questions.
        form: The form of the results.

    Raises:
        UserError: An id is in one file only or a duplicate, or is that of different questions.
    """

    def __init__(self, task: Task, weak: RowSource, icl: RowSource, form: Form[Any]) -> None:
        index: RowIndex[Result] = RowIndex(icl, form)
        first_row(weak, form)
        self._weak: StoredRows[Result] = StoredRows(weak, form)
        self._icl: StoredRows[Result] = index
        self._partners = array("q")
        taken = bytearray(len(index))
        with index.opened() as other_row:
            for place, row in self._weak.scan():
                name = row["id"]
                number = index.numbers.get(name)
                if number is None:
                    raise place.error(f"the id {name!r} is not in {icl}", field="id", hint=SAME_SPLIT)
                if taken[number]:
                    raise place.error(f"duplicate id {name!r}", field="id")
                taken[number] = True
                self._partners.append(number)
                _check_same_question(task, row, other_row(number), index, number, weak)
            left = taken.find(0)
            if left >= 0:
                problem = f"the id {other_row(left)['id']!r} is not in {weak}"
                raise index.place(left).error(problem, field="id", hint=SAME_SPLIT)
        index.numbers.clear()  # the partners are enough from now on

    def __len__(self) -> int:
        return len(self._partners)

    def pairs(self, numbers: Iterable[int] | None = None) -> Iterator[tuple[Result, Result]]:
        """Yield the weak and the icl result on questions, by their numbers from 0; on all if None.

        Raises:
            UserError: A file has changed since it was first read.
        """
        with self._weak.opened() as weak_row, self._icl.opened() as icl_row:
            for number in range(len(self)) if numbers is None else numbers:
                yield weak_row(number), icl_row(self._partners[number])


def _check_same_question(
    task: Task, weak: Result, icl: Result, index: RowIndex[Result], number: int, weak_file: RowSource
) -> None:
    """Check that two results with one id have one question and one gold, and that weak was asked zero-shot.

    Raises:
        UserError: They do not; names the place of the icl result.
    """
    name = weak["id"]
    if zero_shot(task, weak["prompt"], icl["prompt"]) is None:
        swapped = zero_shot(task, icl["prompt"], weak["prompt"]) is not None
        raise index.place(number).error(
            f"the id {name!r} has a shorter prompt here than in {weak_file}"
            if swapped
            else f"the id {name!r} is that of another question in {weak_file}",
            field="prompt",
            hint="The weak side is asked zero-shot: are --weak and --icl swapped?" if swapped else SAME_SPLIT,
        )
    golds = weak.get("gold"), icl.get("gold")
    if None not in golds and golds[0] != golds[1]:
        raise index.place(number).error(
            f"the id {name!r} has another gold answer in {weak_file}", field="gold", hint=SAME_SPLIT
        )


def same_content(first: RowSource, second: RowSource) -> bool:
    """Return whether two files have the same bytes, or two tables in memory the same rows.

    Raises:
        UserError: Both are the same file, by whatever path or link.
    """
    if isinstance(first, Table) or isinstance(second, Table):
        return isinstance(first, Table) and isinstance(second, Table) and first.sha256 == second.sha256
    try:
        same_file = Path(first).samefile(second)
        same_bytes = same_file or filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False  # reading the files will report the error
    if same_file:
        problem = "expected results of another model, got the same file on both sides"
        raise UserError(problem, file=second, hint=f"It is the same file as {first}")
    return same_bytes


@contextmanager
def naming_questions(pairs: Iterable[tuple[Id, tuple[str, str]]], file: object) -> Iterator[None]:
    """Add the question to an error that a task's comparison of answers raises in this context.

    Args:
        pairs: The id of each question with the two answers compared.
        file: The file of the questions.

    Raises:
        UserError: The comparison fails; names the file and the question's id.
    """
    try:
        yield
    except HookError as error:
        name = next((name for name, pair in pairs if pair == error.arguments), None)
        raise error.at(file=file, name=name) from error
