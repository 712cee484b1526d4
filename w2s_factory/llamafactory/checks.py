"""What LLaMA-Factory would trip over, or pass over in silence, found before it is started."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.llamafactory.argument_ranges import argument_problem
from w2s_factory.llamafactory.training_data import named_datasets
from w2s_factory.model_names import is_path
from w2s_factory.records import MANIFEST, is_same_file

if TYPE_CHECKING:
    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.llamafactory.training_data import Dataset
    from w2s_factory.llamafactory.versions import Version

STAGES = ("pt", "sft", "rm", "ppo", "dpo", "kto", "orpo")
_MODELS = ("model_name_or_path", "adapter_name_or_path", "ref_model", "ref_model_adapters")
"""Keys that name weights; an export reads the first two."""

WRITTEN = ("all_results.json", "train_results.json", "trainer_log.jsonl", "trainer_state.json", MANIFEST)
"""Files with rows or objects that a training writes into its output folder."""

PAIR_STAGES = ("rm", "dpo", "orpo")
"""The stages trained on preference pairs; `orpo` is one of its own up to 0.7.1."""


def check_training(config: Config, version: Version | None = None) -> list[Dataset]:
    """Check a training configuration; return its datasets.

    Args:
        config: The YAML and its overrides.
        version: The LLaMA-Factory it is for; without it, what depends on the version is not checked.

    Raises:
        UserError: Something is wrong with it; the first thing found.
    """
    values = config.values
    if "export_dir" in values:
        raise config.wrong("export_dir", "this is an export configuration", "Use w2s-factory export")
    if values.get("stage") not in STAGES:
        raise config.wrong("stage", f"expected one of {', '.join(STAGES)}, got {values.get('stage')!r}")
    if values.get("do_train") is not True:
        raise config.wrong("do_train", "is not true: nothing would be trained")
    _check_text(config, "output_dir", "where the trained weights go")
    _check_template(config)
    _check_models(config, *_MODELS)
    _check_own_folder(config, "output_dir")
    _check_deepspeed(config)
    _check_numbers(config)
    datasets = named_datasets(config)
    for dataset in datasets:
        _check_kind(config, dataset)
        _check_pair_columns(config, dataset, version)
        _check_not_written(config, dataset)
    return datasets


def check_export(config: Config) -> None:
    """Check an export configuration.

    Raises:
        UserError: Something is wrong with it; the first thing found.
    """
    if "do_train" in config.values:
        raise config.wrong("do_train", "this is a training configuration", "Use w2s-factory train")
    _check_text(config, "export_dir", "where the merged model goes")
    _check_template(config)
    _check_models(config, *_MODELS[:2])
    _check_own_folder(config, "export_dir")
    _check_numbers(config)


def _check_text(config: Config, key: str, meaning: str) -> None:
    value = config.values.get(key)
    if not isinstance(value, str) or not value:
        raise config.wrong(key, f"expected {meaning}, got {value!r}")


def _check_template(config: Config) -> None:
    if config.values.get("template") is None:
        raise config.wrong(
            "template",
            "is not set: LLaMA-Factory would guess one, and may train without EOS",
            "Set template: vanilla",
        )


def _check_models(config: Config, required: str, *optional: str) -> None:
    _check_text(config, required, "a model's name or folder")
    for key in (required, *optional):
        for name in config.names(key):
            if is_path(name) and not Path(name).is_dir():
                unexpanded = "Write it without ~, which LLaMA-Factory does not expand"
                hint = unexpanded if name.startswith("~") else None
                raise config.wrong(key, f"no such folder: {name}", hint)


def _check_own_folder(config: Config, written: str) -> None:
    """Refuse to write weights over those that are read."""
    folder = Path(config.values[written])
    for key in _MODELS:
        if any(is_same_file(folder, Path(name).expanduser()) for name in config.names(key)):
            problem = f"{folder} is {key}, too, whose weights would be overwritten"
            raise config.wrong(written, problem, "Choose another folder")


def _check_not_written(config: Config, dataset: Dataset) -> None:
    """Refuse to train on a file that the training writes."""
    folder = Path(config.values["output_dir"])
    if dataset.file and any(is_same_file(dataset.file, folder / name) for name in WRITTEN):
        problem = f"{dataset.file}, a file of {dataset.name!r}, would be overwritten"
        raise config.wrong("output_dir", problem, "Choose another folder")


def _check_deepspeed(config: Config) -> None:
    file = config.values.get("deepspeed")
    if isinstance(file, str) and not Path(file).is_file():
        raise config.wrong("deepspeed", f"no such file: {file}")


def _check_numbers(config: Config) -> None:
    for key, value in config.values.items():
        problem = argument_problem(key, value)
        if problem is not None:
            raise config.wrong(key, problem)


def _check_kind(config: Config, dataset: Dataset) -> None:
    stage = config.values["stage"]
    if dataset.ranking and stage not in PAIR_STAGES:
        raise config.wrong("stage", f"{stage} does not train on preference pairs, which {dataset.name!r} is")
    if not dataset.ranking and stage in PAIR_STAGES:
        raise config.wrong(
            "stage",
            f"{stage} trains on preference pairs, and {dataset.name!r} is not said to be any",
            "Pairs have `ranking: true` in dataset_info.json",
        )


def _check_pair_columns(config: Config, dataset: Dataset, version: Version | None) -> None:
    if not dataset.ranking or version is None:
        return
    split = {"chosen", "rejected"} <= dataset.columns.keys()
    if split != (version.preference_form == "columns"):
        form = "columns" if version.preference_form == "columns" else "release"
        file = Path(str(dataset.file))
        new = file.with_name(f"{file.stem}_{form}.json")
        words = ["w2s-factory", "convert-pairs", str(file), "--format", form, "--output", str(new)]
        has, needs = ("chosen and rejected columns", "one list column `response`")[:: 1 if split else -1]
        raise config.wrong(
            "dataset",
            f"{dataset.name!r} has {has}; LLaMA-Factory {version.number} needs {needs}",
            f"Convert it: {shlex.join(words)}",
        )
