"""Files of datasets: the rows, their entries in `dataset_info.json`, and a training config for each."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import dataset_info
from w2s_factory.llamafactory.configs import make_config
from w2s_factory.llamafactory.dataset_info import place, root_of
from w2s_factory.llamafactory.versions import for_version
from w2s_factory.records import ANY, Outputs, Table, is_stdout, to_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd

    from w2s_factory.llamafactory.dataset_info import DatasetEntry, Location
    from w2s_factory.llamafactory.settings import TrainedThinking
    from w2s_factory.records import Form, PairForm, Source
    from w2s_factory.tasks import Task


WEAK_NAME: Final = "weak"
"""The name that files and datasets have for a weak model without another one."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Layout of datasets, and the training configs to write for them.

    Attributes:
        layout: `folder` (files next to their `dataset_info.json`) or `release` (the published folders).
        preset: The training preset, one of `llama_factory_configs/`.
        model: The model to train: a folder or a name on the hub; None for no config.
        settings: Training arguments that differ from the preset.
        version: The LLaMA-Factory version to write for; None for the installed one.
        thinking: Whether a model that thinks is trained with its thinking; None as the preset has it.
        dataset: The dataset's name in the index; None for the name that its file name gives.
        force: Whether to overwrite files and index entries that have other content.
    """

    layout: str = "folder"
    preset: str = "strong_lora_sft"
    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None
    thinking: TrainedThinking | None = None
    dataset: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Built:
    """A dataset that was built.

    Attributes:
        dataset: Its name in the index.
        rows: The number of its rows.
        file: Its file; the rows themselves if no output was named.
        index: The index with its entry; None if no output was named or the rows were printed.
        config: The config that trains on it; None if the recipe names no model to train.
        left_out: The number of responses without a row, because there is nothing in them to train on.
    """

    dataset: str
    rows: int
    file: Path | Table
    index: Path | None
    config: Path | None
    left_out: int = 0

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a DataFrame."""
        return to_frame(self.file)


@dataclass(frozen=True)
class Rows:
    """Rows to be written to one file.

    Attributes:
        rows: The rows, in order.
        form: The form that each row must have.
        producer: The code that the rows come from, for the message about a row that is not of the form.
        pair_form: The form of preference pairs; None for rows of supervised fine-tuning.
        system: Whether the rows have a system prompt (`system`): all of them or none.
    """

    rows: Iterable[Mapping[str, Any]]
    form: Form[Any] = ANY
    producer: str | None = None
    pair_form: PairForm | None = None
    system: bool = False

    def entry(self, file_name: str) -> DatasetEntry:
        """Return the entry in `dataset_info.json` that describes these rows in a file."""
        if self.pair_form is None:
            return dataset_info.sft_entry(file_name, system=self.system)
        return dataset_info.pair_entry(file_name, self.pair_form, system=self.system)


def place_datasets(
    task: Task | None,
    datasets: Mapping[str, Rows],
    output_dir: Path | None,
    *,
    inputs: Iterable[Source],
    recipe: Recipe,
    more: Mapping[Path, Rows] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> list[Built]:
    """Write all of some datasets below one folder with their entries and configs, or none of them.

    Args:
        task: The task that names the folder in the `release` layout; None if the layout is `folder`.
        datasets: The rows of each dataset, by file name without suffix.
        output_dir: The folder of files and index; in the `release` layout, the release's root. None to
            write nothing.
        inputs: The files that they are built from, for the manifest.
        recipe: The layout and the training config.
        more: Further files of rows, which are not datasets.
        facts: What else decides the content, for the manifest.

    Raises:
        UserError: A dataset has no rows, some of its rows have a system prompt and some have none, or a file
            or entry exists and has other content.
    """
    datasets = {stem: replace(rows, rows=_uniform(stem, rows)) for stem, rows in datasets.items()}
    if output_dir is None:
        return [_in_memory(task, stem, rows.rows, recipe) for stem, rows in datasets.items()]
    placed = {
        recipe.dataset or dataset_name(stem, task): place(
            recipe.layout, output_dir, _folder(task), f"{stem}.json"
        )
        for stem in datasets
    }
    rows = dict(zip(placed, datasets.values(), strict=True))
    entries = {name: rows[name].entry(at.file_name) for name, at in placed.items()}
    with _in_place(list(placed.values()), entries, recipe, inputs) as (outputs, index):
        counts = {name: _write(outputs, at.file, rows[name]) for name, at in placed.items()}
        for path, extra in (more or {}).items():
            outputs.rows(path, extra.rows, extra.form, producer=extra.producer)
        outputs.note(**({"task": task.name} if task else {}), **(facts or {}))
        configs = {name: _config(outputs, name, at, recipe, index) for name, at in placed.items()}
    return [Built(name, counts[name], at.file, at.indexes[0], configs[name]) for name, at in placed.items()]


def _uniform(stem: str, rows: Rows) -> Iterator[Mapping[str, Any]]:
    """Yield rows, and refuse one that has a system prompt where the others have none, or the reverse.

    For a row without one LLaMA-Factory would write the template's default system prompt.

    Raises:
        UserError: There is such a row; names its id.
    """
    for row in rows.rows:
        if isinstance(row, dict) and ("system" in row) is not rows.system:
            which = "a system prompt, unlike" if "system" in row else "no system prompt, unlike"
            problem = f"the row with id {row.get('id')!r} has {which} the rows before it"
            hint = "Generate all responses with the same --system, or all without it"
            raise UserError(problem, file=f"dataset {stem}", field="system", hint=hint)
        yield row


def place_dataset(
    task: Task | None,
    rows: Rows,
    file: str | Path | None,
    *,
    stem: str,
    inputs: Iterable[Source],
    recipe: Recipe,
    more: Mapping[Path, Rows] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Built:
    """Write one dataset to a named file, with its index and config next to it.

    In the `release` layout the file must be where the release has it, below some root. On the standard
    output (`-`) the rows are printed as `.jsonl`, without index entry and config.

    Args:
        task: As in `place_datasets`.
        rows: The rows of the dataset.
        file: Its file; None to write nothing.
        stem: The file name without suffix that names the dataset if `file` is None.
        inputs: As in `place_datasets`.
        recipe: As in `place_datasets`.
        more: As in `place_datasets`.
        facts: As in `place_datasets`.

    Raises:
        UserError: As `place_datasets`; or the file is not named `.json`.
    """
    if file is not None and is_stdout(file):
        return _printed(rows, Path(file), inputs, recipe)
    folder = None
    if file is not None:
        stem, folder = Path(file).stem, _folder_of(task, Path(file), recipe)
    [built] = place_datasets(task, {stem: rows}, folder, inputs=inputs, recipe=recipe, more=more, facts=facts)
    return built


def _folder_of(task: Task | None, file: Path, recipe: Recipe) -> Path:
    """Return the folder below which a dataset is placed so that it gets this file."""
    if file.suffix != ".json":
        raise UserError("expected a name that ends in .json", file=file, hint="Datasets are JSON lists")
    return root_of(recipe.layout, file, _folder(task))


def _in_memory(task: Task | None, stem: str, rows: Iterable[Mapping[str, Any]], recipe: Recipe) -> Built:
    """Return a dataset that is not written.

    Raises:
        UserError: It has no rows, or the recipe asks for what only written datasets have.
    """
    if recipe.model is not None:
        raise UserError("a training config needs an output", field="model", hint="Name the output")
    _refuse_unused(recipe)
    table = Table(recipe.dataset or dataset_name(stem, task), rows)
    if not table:
        raise UserError("expected at least one row, got none", file=table)
    return Built(table.name, len(table), table, None, None)


def _printed(rows: Rows, file: Path, inputs: Iterable[Source], recipe: Recipe) -> Built:
    """Write the rows of one dataset to the standard output."""
    with Outputs(inputs=inputs) as outputs:
        count = _write(outputs, file, rows)
    return Built(recipe.dataset or "", count, file, None, None)


def _folder(task: Task | None) -> str:
    return task.folder if task else ""


def dataset_name(stem: str, task: Task | None = None) -> str:
    """Return the name of the dataset in a file, as published.

    The file `train_gsm8k_x` has the dataset `gsm8k_x`, the file `gsm8k_train_1` the dataset `gsm8k_1`. A task
    may name it in its own way (`Task.dataset_name`).
    """
    name = stem.removeprefix("train_").replace("_train_", "_")
    return task.dataset_name(name) if task else name


@contextlib.contextmanager
def _in_place(
    places: list[Location], entries: Mapping[str, DatasetEntry], recipe: Recipe, inputs: Iterable[Source]
) -> Iterator[tuple[Outputs, dict[str, DatasetEntry]]]:
    """Yield outputs that are put in place together with the index entries, and the index as it will be.

    Raises:
        UserError: A dataset has the name of the index, or a file or entry exists and has other content.
    """
    indexes = list(dict.fromkeys(index for at in places for index in at.indexes))
    for at in places:
        if at.file in indexes:
            raise UserError("is the name of the index of datasets", file=at.file, hint="Choose another name")
    with contextlib.ExitStack() as held, Outputs(inputs=inputs, force=recipe.force) as outputs:
        outputs.claim(*(at.file for at in places))
        planned = dataset_info.all_merged(indexes, entries, force=recipe.force)
        yield outputs, planned[indexes[-1]]
        outputs.check()  # before locking, so that a refusal leaves no lock file
        held.enter_context(dataset_info.exclusive(*indexes))
        again = dataset_info.all_merged(indexes, entries, force=recipe.force)  # others may have added to them
        for index, value in again.items():
            outputs.index(index, value, replace=True)


def _write(outputs: Outputs, file: Path, rows: Rows) -> int:
    """Write the rows of a dataset and return their number."""
    count = outputs.rows(file, rows.rows, rows.form, producer=rows.producer)
    if not count:
        raise UserError("expected at least one row to write, got none", file=file)
    return count


def _refuse_unused(recipe: Recipe) -> None:
    """Refuse training arguments that have no effect because there is no config, and an unknown version."""
    if recipe.settings:
        problem = "there is no model to train, so there is no config to set it in"
        raise UserError(problem, field="--set", hint="Name the model: --model")
    if recipe.version:
        for_version(recipe.version)


def _config(
    outputs: Outputs, name: str, at: Location, recipe: Recipe, index: Mapping[str, DatasetEntry]
) -> Path | None:
    """Write the YAML that trains on a dataset next to it, and return its path; None if no model is named.

    The adapter goes to `saves/`, as LLaMA-Factory's examples have it.
    """
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
        thinking=recipe.thinking,
        index=index,
        file=path,
    )
    outputs.text(path, text)
    return path
