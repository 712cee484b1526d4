"""Gold data: solutions to train on (weak model, strong ceiling), and questions with golds to test on."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from w2s_factory.building.dataset_files import Built, Recipe, place_dataset
from w2s_factory.building.joining import refuse_empty
from w2s_factory.errors import HookError, UserError
from w2s_factory.records import TEST, Form, Outputs, Table, read, read_placed, rows_of, wrong_row
from w2s_factory.scoring.golds import gold_id
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from w2s_factory.records import Id, Place, RowsLike, RowSource, Sft, Test
    from w2s_factory.tasks import Task


def build_gold(
    task: Task | str, source: RowsLike, output: str | Path | None = None, *, recipe: Recipe | None = None
) -> Built:
    """Turn a task's raw rows into gold SFT rows, the release's `{task}_train_{1,2}.json`.

    Without an `output` nothing is written.

    Raises:
        UserError: A raw row is not of the task's form, or `output` exists and holds something else.
    """
    task, source = get_task(task), rows_of(source, "source")
    refuse_empty(source, task.raw_form)
    rows: Iterator[Sft] = _each(task, source, task.gold_row)
    return place_dataset(
        task,
        rows,
        output,
        stem=f"{task.stem}_gold",
        inputs=(source,),
        recipe=recipe or Recipe(),
        producer=_method(task, "gold_row"),
    )


@overload
def build_test(
    task: Task | str, source: RowsLike, output: None = None, *, split: str | None = None, force: bool = False
) -> Table: ...


@overload
def build_test(
    task: Task | str, source: RowsLike, output: str | Path, *, split: str | None = None, force: bool = False
) -> int: ...


def build_test(
    task: Task | str,
    source: RowsLike,
    output: str | Path | None = None,
    *,
    split: str | None = None,
    force: bool = False,
) -> int | Table:
    """Turn a split's raw rows into the test form, the release's `data/test/*.jsonl`; return their number.

    Rows that already are in the test form (the release's raw GSM8K test set) are taken as they are. Without
    an `output` nothing is written, and the rows are returned.

    Args:
        task: Says how.
        source: The raw rows.
        output: The file of questions and golds; `-` for the standard output.
        split: Which split they are, for the tag `source`; by default the one whose raw file is so named.
        force: Overwrite an output that holds something else.

    Raises:
        UserError: As `build_gold`; or the split is unknown.
    """
    task, source = get_task(task), rows_of(source, "source")
    refuse_empty(source, Form("rows", {}))
    if _is_test_form(source):
        rows = _as_they_are(task, source, split)
    else:
        tag = _tag(task, source, split)
        rows = _each(task, source, lambda _, raw: task.test_row(raw, tag))
    producer = _method(task, "test_row")
    if output is None:
        return Table("golds", _scorable(rows, task, "golds", producer))
    with Outputs(inputs=[source], force=force) as outputs:
        count = outputs.rows(output, _scorable(rows, task, output, producer), TEST, producer=producer)
        outputs.note(task=task.name)
    return count


def _scorable(rows: Iterator[Test], task: Task, output: str | Path, producer: str) -> Iterator[Test]:
    """Refuse rows that would be written and that scoring refuses: a repeated id, a gold that is none."""
    seen: set[Id] = set()
    for row, test in enumerate(rows):
        if wrong_row(test, TEST):  # reported where it is written
            yield test
            continue
        name = gold_id(test, row)
        if name in seen:
            problem = f"the id {name!r} comes twice; the row comes from {producer}"
            raise UserError(problem, file=output, row=row + 1, field="id")
        seen.add(name)
        try:
            task.normalise_gold(test["answer"])
        except UserError as error:
            problem = f"{error.problem}; the row comes from {producer}"
            raise UserError(problem, file=output, row=row + 1, field="answer", hint=error.hint) from None
        yield test


def _method(task: Task, name: str) -> str:
    """Name a task's method as the producer of rows."""
    return f"{name} of the task {task.name}"


def _each(task: Task, source: RowSource, make: Callable[[int, dict[str, Any]], Any]) -> Iterator[Any]:
    """Each raw row turned into another; what a task finds wrong gets its place."""
    placed: Iterator[tuple[Place, dict[str, Any]]] = read_placed(source, task.raw_form)
    for number, (place, raw) in enumerate(placed):
        try:
            yield make(number, raw)
        except UserError as error:
            name = raw.get("id") if isinstance(error, HookError) else None
            raise place.locate(error, name) from error


def _as_they_are(task: Task, source: RowSource, split: str | None) -> Iterator[Test]:
    """Rows in the test form, if their tag is the task's (and the split's, if that is named)."""
    tags = {task.split(split).tag} if split else {one.tag for one in task.splits.values()}
    for place, row in read_placed(source, TEST):
        if tags and row["source"] not in tags:
            expected = " or ".join(sorted(tags))
            raise place.error(f"expected {expected}, got {row['source']}", field="source")
        yield row


def _is_test_form(source: RowSource) -> bool:
    rows: Iterator[dict[str, Any]] = read(source, Form("rows", {}))
    return all(TEST.required.keys() <= row.keys() for row in islice(rows, 1))


def _tag(task: Task, source: RowSource, name: str | None) -> str:
    """Return the tag of a split's rows: of the named split, or of the one whose raw file is so named.

    The rows of a task without splits have its name, in capitals.
    """
    if name is not None:
        return task.split(name).tag
    if not task.splits:
        return task.name.upper()
    for split in task.splits.values():
        if isinstance(source, Path) and Path(split.raw).name == source.name:
            return split.tag
    raise UserError(
        "the name of the file does not say which split it is",
        file=source,
        hint=f"Say it with --split: {', '.join(task.splits)}",
    )
