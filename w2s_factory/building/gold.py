"""Gold data: solutions to train the weak model and strong ceiling on, and questions with golds to test on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from w2s_factory.building.dataset_files import Built, Recipe, Rows, place_dataset
from w2s_factory.building.joining import first_row
from w2s_factory.building.prompt_form import PromptForm
from w2s_factory.errors import HookError, UserError
from w2s_factory.records import ANY, SFT, TEST, Outputs, Table, read, read_placed, rows_of, wrong_row
from w2s_factory.scoring.golds import gold_id
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from w2s_factory.records import Id, Place, RowsLike, RowSource, Test
    from w2s_factory.tasks import Task


def build_gold(
    task: Task | str,
    source: RowsLike,
    output: str | Path | None = None,
    *,
    prompt_form: PromptForm | None = None,
    recipe: Recipe | None = None,
) -> Built:
    """Turn a task's raw rows into gold SFT rows, the release's `{task}_train_{1,2}.json`.

    Args:
        task: A task, or its name.
        source: The raw rows.
        output: The file to write; None to write nothing.
        prompt_form: How the model to train will be asked; by the task's prompt if None.
        recipe: The layout and the training config; the defaults of `Recipe` if None.

    Raises:
        UserError: A raw row is not of the task's form, or `output` exists and has other content.
    """
    task, source = get_task(task), rows_of(source, "source")
    prompt_form = (prompt_form or PromptForm()).of(task)
    first_row(source, task.raw_form)

    def convert(number: int, raw: dict[str, Any]) -> dict[str, Any]:
        return prompt_form.applied(task, task.gold_row(number, raw), "content")

    converted, producer = _converted(task, source, convert), _method(task, "gold_row")
    rows = Rows(converted, SFT, producer, system=prompt_form.has_system({}))
    return place_dataset(
        task,
        rows,
        output,
        stem=f"{task.stem}_gold",
        inputs=(source,),
        recipe=prompt_form.recipe(recipe or Recipe()),
        facts=prompt_form.facts,
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
    """Turn a split's raw rows into the test form, the release's `data/test/*.jsonl`.

    Rows that are in the test form already (the release's raw GSM8K test set) are taken as they are.

    Args:
        task: A task, or its name.
        source: The raw rows.
        output: The file of questions and golds; `-` for the standard output; None to write nothing.
        split: The split that the rows are, for the tag `source`; by default the split whose raw file has the
            name of the source.
        force: Whether to overwrite an output that has other content.

    Returns:
        The number of rows written; the rows themselves if `output` is None.

    Raises:
        UserError: As `build_gold`; or the split is unknown.
    """
    task, source = get_task(task), rows_of(source, "source")
    first_row(source, ANY)
    if _is_test_form(source):
        rows = _as_they_are(task, source, split)
    else:
        tag = _tag(task, source, split)
        rows = _converted(task, source, lambda _, raw: task.test_row(raw, tag))
    producer = _method(task, "test_row")
    if output is None:
        return Table("golds", _scorable(rows, task, "golds", producer))
    with Outputs(inputs=[source], force=force) as outputs:
        count = outputs.rows(output, _scorable(rows, task, output, producer), TEST, producer=producer)
        outputs.note(task=task.name)
    return count


def _scorable(rows: Iterator[Test], task: Task, output: str | Path, producer: str) -> Iterator[Test]:
    """Yield rows in the test form, and refuse those that scoring would refuse.

    Raises:
        UserError: An id is a duplicate, or an answer is not a gold of the task.
    """
    seen: set[Id] = set()
    for row, test in enumerate(rows):
        if wrong_row(test, TEST):  # reported when it is written
            yield test
            continue
        name = gold_id(test, row)
        if name in seen:
            problem = f"duplicate id {name!r}; the row comes from {producer}"
            raise UserError(problem, file=output, row=row + 1, field="id")
        seen.add(name)
        try:
            task.normalise_gold(test["answer"])
        except UserError as error:
            problem = f"{error.problem}; the row comes from {producer}"
            raise UserError(problem, file=output, row=row + 1, field="answer", hint=error.hint) from None
        yield test


def _method(task: Task, name: str) -> str:
    """Return the name of a task's method, as the producer of rows."""
    return f"{name} of the task {task.name}"


def _converted(task: Task, source: RowSource, convert: Callable[[int, dict[str, Any]], Any]) -> Iterator[Any]:
    """Yield each raw row converted.

    Raises:
        UserError: A row is not of the task's form or cannot be converted; names its place.
    """
    placed: Iterator[tuple[Place, dict[str, Any]]] = read_placed(source, task.raw_form)
    for number, (place, raw) in enumerate(placed):
        try:
            yield convert(number, raw)
        except UserError as error:
            name = raw.get("id") if isinstance(error, HookError) else None
            raise place.locate(error, name) from error


def _as_they_are(task: Task, source: RowSource, split: str | None) -> Iterator[Test]:
    """Yield rows that are in the test form already.

    Raises:
        UserError: The tag of a row is not the task's, or not that of the split named.
    """
    tags = {task.split(split).tag} if split else {known.tag for known in task.splits.values()}
    for place, row in read_placed(source, TEST):
        if tags and row["source"] not in tags:
            expected = " or ".join(sorted(tags))
            raise place.error(f"expected {expected}, got {row['source']}", field="source")
        yield row


def _is_test_form(source: RowSource) -> bool:
    """Return whether the first row of a file is in the test form."""
    return TEST.required.keys() <= next(read(source, ANY)).keys()


def _tag(task: Task, source: RowSource, name: str | None) -> str:
    """Return the tag of a split's rows: of the split named, or of the one whose raw file has this name.

    The tag of a task without splits is its name in capitals.

    Raises:
        UserError: The task has no such split, or the file has the name of none.
    """
    if name is not None:
        return task.split(name).tag
    if not task.splits:
        return task.name.upper()
    for split in task.splits.values():
        if isinstance(source, Path) and Path(split.raw).name == source.name:
            return split.tag
    raise UserError(
        "the name of the file is not that of a split",
        file=source,
        hint=f"Name the split with --split: {', '.join(task.splits)}",
    )
