"""Full weak data: every response of the weak model, right or wrong (the paper's baseline)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.building.dataset_files import WEAK_NAME, Built, Recipe, Rows, place_dataset
from w2s_factory.building.joining import distinct_rows, refuse_empty
from w2s_factory.folders import responses_in
from w2s_factory.records import OUTPUT, SFT, rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.records import Output, RowsLike, Sft
    from w2s_factory.tasks import Task


def build_full_weak(
    task: Task | str, source: RowsLike, output: str | Path | None = None, *, recipe: Recipe | None = None
) -> Built:
    """Turn a weak model's outputs or results into the release's `*_full_weak.json`.

    Every row is kept, in the same order: `id`, `content` (the prompt), `output` (the response).

    Args:
        task: A task, or its name; it names the dataset if `output` is None.
        source: The weak model's outputs or results.
        output: The file to write; None to write nothing.
        recipe: The layout and the training config; the defaults of `Recipe` if None.

    Raises:
        UserError: `source` is not outputs or results or has a duplicate id, or `output` exists and has other
            content.
    """
    task, source = get_task(task), rows_of(source, "source", responses_in)
    refuse_empty(source, OUTPUT)
    rows = Rows((_row(output) for _, output in distinct_rows(source, OUTPUT)), SFT)
    stem = task.file_stem(WEAK_NAME, "full_weak")
    return place_dataset(task, rows, output, stem=stem, inputs=(source,), recipe=recipe or Recipe())


def _row(output: Output) -> Sft:
    return {"id": output["id"], "content": output["prompt"], "output": output["response"]}
