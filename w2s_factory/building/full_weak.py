"""Full weak data: every response of the weak model, right or wrong (the paper's baseline)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from w2s_factory.building.dataset_files import WEAK_NAME, Built, Recipe, Rows, place_dataset
from w2s_factory.building.joining import distinct_rows, first_row
from w2s_factory.building.prompt_form import PromptForm
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.folders import responses_in
from w2s_factory.records import OUTPUT, SFT, read, rows_of
from w2s_factory.scoring.unused_markers import check_markers
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.records import Id, RowsLike, RowSource
    from w2s_factory.tasks import Task


def build_full_weak(
    task: Task | str,
    source: RowsLike,
    output: str | Path | None = None,
    *,
    prompt_form: PromptForm | None = None,
    response_rule: ResponseRule | None = None,
    recipe: Recipe | None = None,
) -> Built:
    """Turn a weak model's outputs or results into the release's `*_full_weak.json`.

    Every row is kept, in the same order: `id`, `content` (the prompt), `output` (the response) and, of a
    chat, `system`. Only responses with nothing to train on are left out (`Built.left_out`): those of requests
    that failed, and those whose thinking never ended.

    Args:
        task: A task, or its name; it names the dataset if `output` is None.
        source: The weak model's outputs or results.
        output: The file to write; None to write nothing.
        prompt_form: How the model to train will be asked; as the weak model was if None.
        response_rule: The part of responses to train on; the whole ones if None.
        recipe: The layout and the training config; the defaults of `Recipe` if None.

    Raises:
        UserError: `source` is not outputs or results or has a duplicate id, some of its rows have a system
            prompt and some have none, or `output` exists and has other content.
    """
    task, source = get_task(task), rows_of(source, "source", responses_in)
    prompt_form, response_rule = (
        (prompt_form or PromptForm()).of(task),
        (response_rule or ResponseRule()).of(source),
    )
    first = first_row(source, OUTPUT)
    check_markers(response_rule.markers, [(source, (row for row in read(source, OUTPUT)))])
    left_out: list[Id] = []
    built = place_dataset(
        task,
        Rows(
            _rows(task, source, prompt_form, response_rule, left_out),
            SFT,
            system=prompt_form.has_system(first),
        ),
        output,
        stem=task.file_stem(WEAK_NAME, "full_weak"),
        inputs=(source,),
        recipe=response_rule.recipe(prompt_form.recipe(recipe or Recipe())),
        facts=prompt_form.facts | response_rule.facts(),
    )
    return replace(built, left_out=len(left_out))


def _rows(
    task: Task, source: RowSource, prompt_form: PromptForm, response_rule: ResponseRule, left_out: list[Id]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of full weak data, and list the ids of outputs with nothing to train on."""
    for _, output in distinct_rows(source, OUTPUT):
        text = response_rule.text(output)
        if text is None:
            left_out.append(output["id"])
            continue
        row = {"id": output["id"], "content": output["prompt"], "output": text}
        row |= {"system": output["system"]} if "system" in output else {}
        yield prompt_form.applied(task, row, "content")
