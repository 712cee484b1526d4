"""Pair files in the published form, in the one LLaMA-Factory takes from 0.8 on, or their chosen side."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from w2s_factory.building.dataset_files import Built, Recipe, place_dataset
from w2s_factory.llamafactory import dataset_info
from w2s_factory.llamafactory.installed import installed_version
from w2s_factory.llamafactory.versions import NEWEST, for_installed, for_version
from w2s_factory.records import COLUMN_PAIR, PAIR, SFT, Form, PairForm, as_columns, read_pairs, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from w2s_factory.llamafactory.versions import PreferenceForm
    from w2s_factory.records import Pair, RowsLike, Sft
    from w2s_factory.tasks import Task

_LLAMAFACTORY: dict[PairForm, PreferenceForm] = {"release": "list", "columns": "columns"}


def place_pairs(
    task: Task | None,
    pairs: Iterable[Pair],
    file: str | Path | None,
    *,
    form: PairForm | None,
    recipe: Recipe,
    **options: Any,
) -> Built:
    """Write preference pairs in a form, with the index entry that suits it; else as `place_dataset`.

    Args:
        task: Names the folder in the `release` layout; None where the layout is `folder`.
        pairs: The pairs, in the published form.
        file: Where they go; None to write nothing.
        form: `release` or `columns`; None for what the recipe's LLaMA-Factory version reads.
        recipe: Layout, version and training config.
        options: As of `place_datasets`.
    """
    form = form or form_for(recipe.version)
    rows = (as_columns(pair) if form == "columns" else pair for pair in pairs)
    entry = partial(dataset_info.pair_entry, form=_LLAMAFACTORY[form])
    asked: Form[Any] = COLUMN_PAIR if form == "columns" else PAIR
    return place_dataset(task, rows, file, stem="paired", recipe=recipe, entry=entry, form=asked, **options)


def convert_pairs(
    source: RowsLike,
    output: str | Path | None = None,
    form: PairForm | None = None,
    *,
    recipe: Recipe | None = None,
) -> Built:
    """Write a pair file of either form in the named form, without loss, with its index entry.

    Raises:
        UserError: A row is in neither form, or `output` exists and holds something else.
    """
    source = rows_of(source, "pairs")
    pairs = read_pairs(source)
    return place_pairs(None, pairs, output, form=form, inputs=[source], recipe=recipe or Recipe())


def chosen_side(source: RowsLike, output: str | Path | None = None, *, recipe: Recipe | None = None) -> Built:
    """Write the chosen responses of a pair file as SFT rows, with their index entry.

    Trained on for as many steps, they are the control of Stage II: what preference learning adds to
    fine-tuning on the same chosen responses.

    Args:
        source: Pairs in either form.
        output: The SFT rows (None to write nothing): `id`, `content` (the instruction, and the input on a
            line of its own, as LLaMA-Factory joins them), `output` (the chosen response).
        recipe: Layout and training config.

    Raises:
        UserError: As `convert_pairs`.
    """
    source = rows_of(source, "pairs")
    rows = map(_chosen, read_pairs(source))
    recipe = recipe or Recipe()
    return place_dataset(None, rows, output, stem="chosen", inputs=[source], recipe=recipe, form=SFT)


def _chosen(pair: Pair) -> Sft:
    content = "\n".join(text for text in (pair["instruction"], pair["input"]) if text)
    return {"id": pair["id"], "content": content, "output": pair["output"][0]}


def form_for(version: str | None) -> PairForm:
    """The form of pairs a LLaMA-Factory version reads; of the installed one if None."""
    target = for_version(version) if version else for_installed(installed_version() or NEWEST)
    return "columns" if target.preference_form == "columns" else "release"
