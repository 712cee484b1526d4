"""A task shown: the sizes of its splits, and rows as prompt, gold answer, and answer in the solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.answers.number_equality import number_of
from w2s_factory.errors import UserError
from w2s_factory.records import ANY, TEST, read_placed
from w2s_factory.scoring.results import score_by
from w2s_factory.scoring.rule import scoring_rule
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike
    from pathlib import Path

    from w2s_factory.records import Id, Place, RowSource, Test
    from w2s_factory.scoring.results import Scored
    from w2s_factory.tasks import Task

SHOWN: Final = 3
"""The rows that are shown."""

CHECKED: Final = 1000
"""The most solutions that are scored; symbolic comparisons take long."""


@dataclass(frozen=True)
class ShownRow:
    """A row of a task.

    Attributes:
        id: Its id.
        prompt: Its prompt as one text.
        user_turn: Its prompt as a user writes it in a chat.
        gold: Its gold answer as written; empty if it is not known.
        solution: The gold solution as a model is taught to write it; empty if there is none.
        found: The final answer found in the solution, normalised; empty if none is.
        result: Whether it equals the gold answer; None if there is no solution or no gold answer.
    """

    id: Id
    prompt: str
    user_turn: str
    gold: str
    solution: str
    found: str
    result: bool | None


@dataclass(frozen=True)
class ShownTask:
    """A task, as `show_task` returns it.

    Attributes:
        task: The task.
        sizes: The number of rows of each split; None if its file does not exist.
        without_gold: The number of rows of each split whose gold answer is not known.
        not_numbers: The number of rows of each split whose gold answer is not a number, where answers are:
            only the same text is equal to it.
        first_not_number: The id of the first of these rows of each split that has one.
        split: The split that is shown.
        rows: Its first rows.
        scored: The number of its solutions that were scored, of at most the first 1,000 rows.
        right: The number of those in which the gold answer was found.
    """

    task: Task
    sizes: dict[str, int | None]
    without_gold: dict[str, int]
    not_numbers: dict[str, int]
    first_not_number: dict[str, Id]
    split: str
    rows: list[ShownRow]
    scored: int
    right: int


def show_task(
    task: Task | str | PathLike[str], split: str | None = None, release: Path | None = None
) -> ShownTask:
    """Read all rows of a task, and show the first ones of a split.

    Args:
        task: A task, its name, or the file that defines it.
        split: The split to show; the first one by default.
        release: The root of the published release, for tasks whose files are there.

    Raises:
        UserError: The task or the split does not exist, or a row cannot be read or converted.
        DelegateError: Rows cannot be loaded from the hub.
    """
    task = get_task(task)
    if not task.splits:
        raise UserError(f"task {task.name} has no splits to show", hint="See docs/tasks.md")
    name = next(iter(task.splits)) if split is None else split
    task.split(name)
    tests = {each: _tests(task, each, release) for each in task.splits}
    if tests[name] is None:
        raise UserError("no such file", file=_source(task, name, release), hint="Name the release: --release")
    chosen = tests[name] or []
    with_solution = [(test, text) for test, text in chosen[:CHECKED] if text]
    scored = score_by(
        scoring_rule(task),
        [text for _, text in with_solution],
        [test["answer"] or None for test, _ in with_solution],
    )
    found = {id(test): each for (test, _), each in zip(with_solution, scored, strict=True)}
    rows = [
        _shown_row(task, number, test, text, found.get(id(test)))
        for number, (test, text) in enumerate(chosen[:SHOWN])
    ]
    not_numbers = {each: _not_numbers(task, read or []) for each, read in tests.items()}
    return ShownTask(
        task=task,
        sizes={each: None if read is None else len(read) for each, read in tests.items()},
        without_gold={each: _unknown(read or []) for each, read in tests.items()},
        not_numbers={each: len(ids) for each, ids in not_numbers.items()},
        first_not_number={each: ids[0] for each, ids in not_numbers.items() if ids},
        split=name,
        rows=rows,
        scored=sum(each.result is not None for each in scored),
        right=sum(each.result is True for each in scored),
    )


def check_rows(task: Task, splits: Iterable[str]) -> None:
    """Check the rows of splits that a task reads from files of its own; those of the hub are not loaded.

    Raises:
        UserError: A row cannot be read, or has no prompt or no usable gold answer.
    """
    for split in splits:
        rows = task.own_rows(split) if len(task.own_files(split)) > 1 else None  # the first is the task's
        for place, raw in () if rows is None else read_placed(rows, ANY):
            try:
                task.test_row(raw, task.split(split).tag)
            except UserError as error:
                raise place.locate(error) from error


def _source(task: Task, split: str, release: Path | None) -> RowSource:
    """Return the raw rows of a split: the task's own, or its file below the task's root or the release's."""
    rows = task.own_rows(split)
    return task.path(task.split(split).raw, task.root or release) if rows is None else rows


def _tests(task: Task, split: str, release: Path | None) -> list[tuple[Test, str]] | None:
    """Return a split's rows in the test form, each with its solution as it is taught; None without a file."""
    source = _source(task, split, release)
    if task.own_rows(split) is None and not source.is_file():  # type: ignore[union-attr]  # a path
        return None
    return list(_converted(task, split, source))


def _converted(task: Task, split: str, source: RowSource) -> Iterator[tuple[Test, str]]:
    for place, raw in read_placed(source, ANY):
        if TEST.required.keys() <= raw.keys():  # such as the release's raw test set of GSM8K
            yield raw, raw["solution"]  # type: ignore[misc]
            continue
        place.require(raw, task.raw_form)
        yield _at(place, task, raw, task.split(split).tag)


def _at(place: Place, task: Task, raw: dict[str, Any], tag: str) -> tuple[Test, str]:
    try:
        return task.test_row(raw, tag), task.gold_output(raw) if task.teaches_gold else ""
    except UserError as error:
        raise place.locate(error) from error


def _unknown(tests: list[tuple[Test, str]]) -> int:
    """Return how many rows have no gold answer."""
    return sum(not test["answer"] for test, _ in tests)


def _not_numbers(task: Task, tests: list[tuple[Test, str]]) -> list[Id]:
    """Return the ids of the rows whose gold answers are not numbers although the task's answers are."""
    if not task.answers_are_numbers:
        return []
    return [
        _id_of(test, place)
        for place, (test, _) in enumerate(tests)
        if test["answer"] and number_of(test["answer"]) is None
    ]


def _id_of(test: Test, place: int) -> Id:
    """Return the id of a row: its own, or else its place in the split."""
    return test.get("id", place)  # type: ignore[return-value]  # a key beyond the form


def _shown_row(task: Task, number: int, test: Test, solution: str, scored: Scored | None) -> ShownRow:
    question = test["question"]
    return ShownRow(
        id=_id_of(test, number),
        prompt=task.prompt(question),
        user_turn=task.user_turn(question),
        gold=test["answer"],
        solution=solution,
        found="" if scored is None else scored.pred,
        result=None if scored is None else scored.result,
    )
