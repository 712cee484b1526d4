"""Datasets as files: the rows, their entries in `dataset_info.json`, and a training config each."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import dataset_info
from w2s_factory.llamafactory.configs import make_config
from w2s_factory.llamafactory.dataset_info import place, root_of
from w2s_factory.llamafactory.versions import for_version
from w2s_factory.records import ANY, SFT, Outputs, Table, is_stdout, to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd

    from w2s_factory.llamafactory.dataset_info import DatasetEntry, Location
    from w2s_factory.records import Form, Source
    from w2s_factory.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How datasets are laid out and what trains on them.

    Attributes:
        layout: `folder` (files beside their `dataset_info.json`) or `release` (the published tree).
        preset: The training preset, one of `llama_factory_configs/`.
        model: The model to train: a folder or a hub name; None for no config.
        settings: Training arguments that differ from the preset.
        version: The LLaMA-Factory version to write for; None for the installed one.
        dataset: The dataset's name in the index; None for the one its file name gives.
        force: Overwrite files and index entries that hold something else.
    """

    layout: str = "folder"
    preset: str = "strong_lora_sft"
    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None
    dataset: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Built:
    """One dataset built.

    Attributes:
        dataset: Its name in the index.
        rows: How many rows it has.
        file: Its file; the rows themselves if no output was named.
        index: The index with its entry; None without an output, and where the rows were printed.
        config: The config that trains on it; None where the recipe names no model to train.
    """

    dataset: str
    rows: int
    file: Path | Table
    index: Path | None
    config: Path | None

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a DataFrame."""
        return to_frame(self.file)


@dataclass(frozen=True)
class Rows:
    """Rows to be written.

    Attributes:
        rows: The rows, in order.
        form: What whoever reads the file asks of each.
        producer: Who made them, for the message about one that is not of the form.
    """

    rows: Iterable[Mapping[str, Any]]
    form: Form[Any] = ANY
    producer: str | None = None


def place_datasets(  # noqa: PLR0913  each is a thing to say of datasets
    task: Task | None,
    datasets: Mapping[str, Iterable[Mapping[str, Any]]],
    output_dir: Path | None,
    *,
    inputs: Iterable[Source],
    recipe: Recipe,
    form: Form[Any] = SFT,
    producer: str | None = None,
    entry: Callable[[str], DatasetEntry] = dataset_info.sft_entry,
    beside: Mapping[Path, Rows] | None = None,
    **facts: Any,
) -> list[Built]:
    """Write datasets below one folder with their entries and configs: all or none.

    Args:
        task: Names the folder in the `release` layout; None where the layout is `folder`.
        datasets: The rows of each, by file name without suffix.
        output_dir: The folder of files and index; in the `release` layout, the release's root. None to
            write nothing.
        inputs: The files they were made from, for the manifest.
        recipe: Layout and training config.
        form: What whoever reads the datasets asks of each row.
        producer: Who made the rows, for the message about one that is not of the form.
        entry: Gives the index entry of a file name.
        beside: Further files of rows, which are no datasets.
        facts: What else decides the content, for the manifest.

    Raises:
        UserError: A dataset has no rows, or a file or entry exists and holds something else.
    """
    if output_dir is None:
        return [_in_memory(task, stem, rows, recipe) for stem, rows in datasets.items()]
    placed = {
        recipe.dataset or dataset_name(stem, task): place(
            recipe.layout, output_dir, _folder(task), f"{stem}.json"
        )
        for stem in datasets
    }
    entries = {name: entry(at.file_name) for name, at in placed.items()}
    rows = {name: Rows(given, form, producer) for name, given in zip(placed, datasets.values(), strict=True)}
    with _in_place(list(placed.values()), entries, recipe, inputs) as (outputs, index):
        counts = {name: _write(outputs, at.file, rows[name]) for name, at in placed.items()}
        for path, extra in (beside or {}).items():
            outputs.rows(path, extra.rows, extra.form, producer=extra.producer)
        outputs.note(**({"task": task.name} if task else {}), **facts)
        configs = {name: _config(outputs, name, at, recipe, index) for name, at in placed.items()}
    return [Built(name, counts[name], at.file, at.indexes[0], configs[name]) for name, at in placed.items()]


def place_dataset(
    task: Task | None,
    rows: Iterable[Mapping[str, Any]],
    file: str | Path | None,
    *,
    stem: str,
    recipe: Recipe,
    **options: Any,
) -> Built:
    """Write one dataset to a named file, its index and config beside it; options as of `place_datasets`.

    Without a file nothing is written, and the dataset is called after `stem`, as a file would be.
    In the `release` layout the file must lie where the release has it, below some root. To the standard
    output (`-`) go the rows alone, as `.jsonl`: there is no index entry and no config.
    """
    if file is None:
        return place_datasets(task, {stem: rows}, None, recipe=recipe, **options)[0]
    file = Path(file)
    if is_stdout(file):
        return _printed(rows, file, recipe=recipe, **options)
    if file.suffix != ".json":
        raise UserError("datasets are JSON lists here", file=file, hint="Name the file .json")
    root = root_of(recipe.layout, file, _folder(task))
    return place_datasets(task, {file.stem: rows}, root, recipe=recipe, **options)[0]


def _in_memory(task: Task | None, stem: str, rows: Iterable[Mapping[str, Any]], recipe: Recipe) -> Built:
    """Return a dataset that is not written; what only files have must not be asked for.

    Raises:
        UserError: It has no rows, or the recipe names a model to train.
    """
    if recipe.model is not None:
        raise UserError("a training config needs an output", field="model", hint="Name the output")
    _refuse_unused(recipe)
    table = Table(recipe.dataset or dataset_name(stem, task), rows)
    if not table:
        raise UserError("there is not one row", file=table)
    return Built(table.name, len(table), table, None, None)


def _printed(
    rows: Iterable[Mapping[str, Any]],
    file: Path,
    *,
    recipe: Recipe,
    inputs: Iterable[Source],
    form: Form[Any] = SFT,
    producer: str | None = None,
    **_: Any,
) -> Built:
    """Write the rows of one dataset to the standard output."""
    with Outputs(inputs=inputs) as outputs:
        count = _write(outputs, file, Rows(rows, form, producer))
    return Built(recipe.dataset or "", count, file, None, None)


def _folder(task: Task | None) -> str:
    return task.folder if task else ""


def dataset_name(stem: str, task: Task | None = None) -> str:
    """A file's dataset name, as published: of `train_gsm8k_x` `gsm8k_x`, of `gsm8k_train_1` `gsm8k_1`.

    A task may have its own way to write it (`Task.dataset_name`).
    """
    name = stem.removeprefix("train_").replace("_train_", "_")
    return task.dataset_name(name) if task else name


@contextlib.contextmanager
def _in_place(
    places: list[Location], entries: Mapping[str, DatasetEntry], recipe: Recipe, inputs: Iterable[Source]
) -> Iterator[tuple[Outputs, dict[str, DatasetEntry]]]:
    """Outputs put in place together with the entries, in each index concerned; and what that will hold."""
    indexes = list(dict.fromkeys(index for at in places for index in at.indexes))
    for at in places:
        if at.file in indexes:
            raise UserError("is the name of the index", file=at.file, hint="Choose another name")
    with contextlib.ExitStack() as held, Outputs(inputs=inputs, force=recipe.force) as outputs:
        outputs.claim(*(at.file for at in places))
        planned = dataset_info.all_merged(indexes, entries, force=recipe.force)
        yield outputs, planned[indexes[-1]]
        outputs.check()  # while there is no lock that a refusal would leave behind
        held.enter_context(dataset_info.exclusive(*indexes))
        again = dataset_info.all_merged(indexes, entries, force=recipe.force)  # others may have added to them
        for index, value in again.items():
            outputs.index(index, value, replace=True)


def _write(outputs: Outputs, file: Path, rows: Rows) -> int:
    count = outputs.rows(file, rows.rows, rows.form, producer=rows.producer)
    if not count:
        raise UserError("there is not one row to write", file=file)
    return count


def _refuse_unused(recipe: Recipe) -> None:
    """What only a config would use must not be passed over in silence."""
    if recipe.settings:
        raise UserError("there is no model to train, so no config", field="--set", hint="Name it: --model")
    if recipe.version:
        for_version(recipe.version)


def _config(
    outputs: Outputs, name: str, at: Location, recipe: Recipe, index: Mapping[str, DatasetEntry]
) -> Path | None:
    """The YAML that trains on a dataset, beside it; the adapter goes to `saves/`, LLaMA-Factory's custom."""
    if recipe.model is None:
        _refuse_unused(recipe)
        return None
    path = at.file.with_suffix(".yaml")
    text = make_config(
        recipe.preset,
        model=recipe.model,
        output_dir=at.dataset_dir / "saves" / name,
        dataset=name,
        dataset_dir=at.dataset_dir,
        version=recipe.version,
        settings=recipe.settings,
        index=index,
        file=path,
    )
    outputs.text(path, text)
    return path
