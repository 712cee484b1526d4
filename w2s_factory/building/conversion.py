"""Files of preference pairs: in the published form, in that of LLaMA-Factory 0.8, or their chosen side."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from w2s_factory.building.dataset_files import Built, Recipe, Rows, place_dataset
from w2s_factory.llamafactory.installation import installed_version
from w2s_factory.llamafactory.versions import NEWEST, for_installed, for_version
from w2s_factory.records import COLUMN_PAIR, PAIR, SFT, PairForm, as_columns, read_pairs, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from w2s_factory.records import Pair, RowsLike, RowSource, Sft, Source
    from w2s_factory.tasks import Task


def place_pairs(  # noqa: PLR0913  as `place_dataset`, for pairs
    task: Task | None,
    pairs: Iterable[Any],
    file: str | Path | None,
    *,
    system: bool,
    form: PairForm | None,
    inputs: Iterable[Source],
    recipe: Recipe,
    more: Mapping[Path, Rows] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Built:
    """Write preference pairs in a form, with the index entry that describes it.

    Args:
        task: As in `place_dataset`.
        pairs: The pairs, in the published form.
        file: Their file; None to write nothing.
        system: Whether they have a system prompt.
        form: `release` or `columns`; None for the form that the recipe's LLaMA-Factory version reads.
        inputs: As in `place_dataset`.
        recipe: As in `place_dataset`.
        more: As in `place_dataset`.
        facts: As in `place_dataset`.

    Raises:
        UserError: As `place_dataset`.
    """
    form = form or form_for(recipe.version)
    if form == "columns":
        rows = Rows(map(as_columns, pairs), COLUMN_PAIR, pair_form=form, system=system)
    else:
        rows = Rows(pairs, PAIR, pair_form=form, system=system)
    return place_dataset(
        task, rows, file, stem="paired", inputs=inputs, recipe=recipe, more=more, facts=facts
    )


def convert_pairs(
    source: RowsLike,
    output: str | Path | None = None,
    form: PairForm | None = None,
    *,
    recipe: Recipe | None = None,
) -> Built:
    """Write a pair file of either form in the form named, without loss, with its index entry.

    Args:
        source: The pairs, in either form.
        output: The file to write; None to write nothing.
        form: `release` or `columns`; None for the form that the recipe's LLaMA-Factory version reads.
        recipe: The layout and the training config; the defaults of `Recipe` if None.

    Raises:
        UserError: A row is in neither form, or `output` exists and has other content.
    """
    source = rows_of(source, "pairs")
    return place_pairs(
        None,
        read_pairs(source),
        output,
        system=_has_system(source),
        form=form,
        inputs=[source],
        recipe=recipe or Recipe(),
    )


def chosen_side(source: RowsLike, output: str | Path | None = None, *, recipe: Recipe | None = None) -> Built:
    """Write the chosen responses of a pair file as SFT rows, with their index entry.

    Training on them for as many steps is the control of Stage II. It shows how much preference learning adds
    to fine-tuning on the same chosen responses.

    Args:
        source: The pairs, in either form.
        output: The file of SFT rows; None to write nothing. A row has `id`, `content` (the instruction, and
            the input on a line of its own, as LLaMA-Factory joins them), `output` (the chosen response) and
            the pair's `system`, if it has one.
        recipe: The layout and the training config; the defaults of `Recipe` if None.

    Raises:
        UserError: As `convert_pairs`.
    """
    source = rows_of(source, "pairs")
    rows = Rows(map(_chosen, read_pairs(source)), SFT, system=_has_system(source))
    return place_dataset(None, rows, output, stem="chosen", inputs=[source], recipe=recipe or Recipe())


def _has_system(pairs: RowSource) -> bool:
    """Return whether the first pair of a file has a system prompt."""
    return any("system" in pair for pair in islice(read_pairs(pairs), 1))


def _chosen(pair: Pair) -> Sft:
    """Return the chosen response of a pair as an SFT row."""
    content = "\n".join(text for text in (pair["instruction"], pair["input"]) if text)
    row: Sft = {"id": pair["id"], "content": content, "output": pair["output"][0]}
    return {**row, "system": pair["system"]} if "system" in pair else row


def form_for(version: str | None) -> PairForm:
    """Return the form of pairs that a LLaMA-Factory version reads; the installed one if it is None."""
    target = for_version(version) if version else for_installed(installed_version() or NEWEST)
    return target.pair_form
