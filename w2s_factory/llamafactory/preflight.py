"""Checks before LLaMA-Factory starts: mistakes it would report late, unclearly or not at all."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import DelegateError
from w2s_factory.llamafactory.arguments import argument_problem
from w2s_factory.llamafactory.datasets import named_datasets
from w2s_factory.llamafactory.environment import run_inside
from w2s_factory.llamafactory.settings import as_yaml
from w2s_factory.model_names import is_path
from w2s_factory.records import MANIFEST, is_same_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from w2s_factory.llamafactory.datasets import Dataset
    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.llamafactory.versions import Version

_TRUE: Final = ("true", "yes", "y", "on", "t", "1")
"""Texts that transformers or OmegaConf takes for true, in any case."""


def _is_set(value: Any) -> bool:
    return value not in (None, False)


def _is_true(value: Any) -> bool:
    """Return whether a value is true as transformers and OmegaConf read it, in quotes too."""
    return value is True or str(value).strip().lower() in _TRUE


GPU_ONLY: Final[Mapping[str, Callable[[Any], bool]]] = {
    "bf16": _is_true,
    "fp16": _is_true,
    "pure_bf16": _is_true,
    "bf16_full_eval": _is_true,
    "fp16_full_eval": _is_true,
    "tf32": _is_true,
    "quantization_bit": _is_set,
    "deepspeed": _is_set,
    "use_unsloth": _is_true,
}
"""Arguments that end a training where torch sees no accelerator, each with the values that do."""

_ALSO_ON_CPU: Final = ("bf16", "bf16_full_eval")
"""Those that a CPU takes as well once it is chosen (`use_cpu`)."""


def gpu_only(values: Mapping[str, Any]) -> str | None:
    """Return the first argument of a training that needs a GPU; None if it has none."""
    on_cpu = _is_true(values.get("use_cpu")) or _is_true(values.get("no_cuda"))
    for key, ends in GPU_ONLY.items():
        if ends(values.get(key)) and not (on_cpu and key in _ALSO_ON_CPU):
            return key
    return None


def check_accelerator(config: Config, python: Path) -> None:
    """Refuse a training that needs a GPU where torch sees none.

    torch is asked, which takes seconds, only if the training needs a GPU; and not where Ray trains, since
    its workers are on other machines.

    Args:
        config: The training configuration.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: There is no GPU; names the argument that needs one, and what to do.
        DelegateError: torch cannot be imported there.
    """
    key = gpu_only(config.values)
    if key is None or os.environ.get("USE_RAY", "").lower() in ("1", "true", "y"):
        return
    try:
        devices = run_inside(python, "imports_work.py", arguments=["torch"])["devices"]
    except DelegateError as error:
        problem = f"torch cannot be imported by {python} ({error.problem})"
        raise DelegateError(problem, hint="See w2s-factory doctor") from None
    if not devices:
        raise config.wrong(
            key,
            f"{as_yaml(config.values[key])} needs a GPU, and torch sees none here",
            "Make the YAML with make-config --cpu, or set use_cpu=true and what needs one to false",
        )


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
