"""Full weak: every answer of the weak model, right or wrong (the paper's baseline)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.building.dataset_files import Built, Recipe, place_dataset
from w2s_factory.building.joining import refuse_empty
from w2s_factory.folders import responses_in
from w2s_factory.records import OUTPUT, SFT, read_placed, rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.records import Id, Output, RowsLike, RowSource, Sft
    from w2s_factory.tasks import Task


def build_full_weak(
    task: Task | str, source: RowsLike, output: str | Path | None = None, *, recipe: Recipe | None = None
) -> Built:
    """Turn a weak model's outputs or results into the release's `*_full_weak.json`.

    Every row is kept in its order: `id`, `content` (the prompt), `output` (the response). Without an
    `output` nothing is written.

    Raises:
        UserError: `source` is not outputs or results, has an id twice, or `output` exists and
            holds something else.
    """
    task, source, recipe = get_task(task), rows_of(source, "source", responses_in), recipe or Recipe()
    refuse_empty(source, OUTPUT)
    rows, stem = map(_row, _once(source)), task.file_stem("weak", "full_weak")
    return place_dataset(task, rows, output, stem=stem, inputs=(source,), recipe=recipe, form=SFT)


def _once(source: RowSource) -> Iterator[Output]:
    """The rows of a file, each id once."""
    seen: set[Id] = set()
    for place, row in read_placed(source, OUTPUT):
        if row["id"] in seen:
            raise place.error(f"duplicate id {row['id']!r}", field="id")
        seen.add(row["id"])
        yield row


def _row(output: Output) -> Sft:
    return {"id": output["id"], "content": output["prompt"], "output": output["response"]}
