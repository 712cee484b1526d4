"""Pre-flight checks of a configuration: mistakes that LLaMA-Factory reports late, unclearly or not at all."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.arguments import argument_problem
from w2s_factory.llamafactory.datasets import named_datasets
from w2s_factory.llamafactory.installation import look, run_inside
from w2s_factory.llamafactory.preference_methods import STAGES
from w2s_factory.llamafactory.settings import as_yaml
from w2s_factory.llamafactory.trackers import REPORT_TO, missing_tracker, trackers
from w2s_factory.model_names import is_path
from w2s_factory.packages import constrained_install
from w2s_factory.records import MANIFEST, is_same_file
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from w2s_factory.llamafactory.datasets import Dataset
    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.llamafactory.versions import Version

_TRUE: Final = ("true", "yes", "y", "on", "t", "1")
"""Texts that transformers or OmegaConf reads as true, in upper or lower case."""


def _is_set(value: Any) -> bool:
    """Return whether a value switches an argument on that takes a number or a file."""
    return value not in (None, False)


def _is_true(value: Any) -> bool:
    """Return whether transformers and OmegaConf read a value, also one in quotes, as true."""
    return value is True or str(value).strip().lower() in _TRUE


GPU_ONLY: Final[Mapping[str, Callable[[Any], bool]]] = {
    "bf16": _is_true,
    "fp16": _is_true,
    "pure_bf16": _is_true,
    "bf16_full_eval": _is_true,
    "fp16_full_eval": _is_true,
    "tf32": _is_true,
    "quantization_bit": _is_set,
    "use_unsloth": _is_true,
}
"""Arguments with which a training fails where torch sees no accelerator, each with the test of its value."""

_ALSO_ON_CPU: Final = ("bf16", "bf16_full_eval")
"""Those of them that work on the CPU too once it is chosen (`use_cpu`)."""


DEEPSPEED: Final = "deepspeed"
"""The package, and the argument that asks for it."""


def gpu_only(values: Mapping[str, Any]) -> str | None:
    """Return the first argument of a training that needs a GPU; None if there is none."""
    on_cpu = _is_true(values.get("use_cpu")) or _is_true(values.get("no_cuda"))
    for key, ends in GPU_ONLY.items():
        if ends(values.get(key)) and not (on_cpu and key in _ALSO_ON_CPU):
            return key
    return None


GPU_DEVICES: Final = tuple(map(Path, ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "/dev/davinci_manager")))
"""Files that the drivers of NVIDIA, AMD, Windows' subsystem for Linux and Ascend make."""


def seems_without_gpu() -> bool:
    """Return whether this machine seems to have no GPU; torch, which takes seconds to import, is not asked.

    On systems other than Linux nothing is known, and False is returned.
    """
    return sys.platform == "linux" and not any(device.exists() for device in GPU_DEVICES)


def cpu_arguments(values: Mapping[str, Any]) -> list[str]:
    """Return the overrides of `train` with which a training needs no GPU; an empty list if it needs none."""
    if gpu_only(values) is None:
        return []
    needed = [key for key, ends in GPU_ONLY.items() if ends(values.get(key))]
    on_cpu = [] if values.get(DEEPSPEED) else ["use_cpu=true"]  # which would switch DeepSpeed off
    return [*on_cpu, *(f"{key}={'false' if GPU_ONLY[key] is _is_true else 'null'}" for key in needed)]


def sees_gpu(python: str | Path) -> bool:
    """Return whether torch sees a GPU; see `visible_devices`."""
    return bool(visible_devices(python))


def visible_devices(python: str | Path) -> list[str]:
    """Return the GPUs or other accelerators that torch sees; importing it takes seconds.

    Args:
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: The interpreter cannot be run.
        DelegateError: torch cannot be imported there.
    """
    try:
        return list(run_inside(python, "imports_work.py", arguments=["torch"])["devices"])
    except DelegateError as error:
        problem = f"torch cannot be imported by {python} ({error.problem})"
        raise DelegateError(problem, hint="See w2s-factory doctor") from None


def check_accelerator(config: Config, python: Path) -> None:
    """Refuse a training that needs a GPU where torch sees none.

    torch is imported only if the training needs a GPU; and not where Ray trains, since its workers are on
    other machines.

    Args:
        config: The training configuration.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: There is no GPU; names the argument that needs one, and the remedy.
        DelegateError: torch cannot be imported there.
    """
    key = gpu_only(config.values)
    if key is None or under_ray(config.values, os.environ) or sees_gpu(python):
        return
    given = [*config.overrides, *cpu_arguments(config.values)]
    command = shlex.join(["w2s-factory", "train", str(config.path), *given])
    raise config.wrong(
        key,
        f"{as_yaml(config.values[key])} needs a GPU, and torch sees none here",
        f"Train on the CPU: {command}; in an experiment: llamafactory: {{cpu: true}}",
        topic="no-gpu",
    )


BITSANDBYTES: Final = "bitsandbytes"
"""The package that quantises a model while it is loaded, unless `quantization_method` names another."""

_ITS_NAMES: Final = (None, "bnb", BITSANDBYTES)
"""Values of `quantization_method` that mean it: `bitsandbytes` up to 0.9.2, `bnb` since 0.9.3."""


def check_quantizer(config: Config, python: Path) -> None:
    """Refuse a quantised training where bitsandbytes is not installed, unless Ray trains on other machines.

    Args:
        config: The training configuration.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: It is not installed; the hint is the command that installs it.
    """
    values = config.values
    if _is_set(values.get("quantization_bit")) and values.get("quantization_method") in _ITS_NAMES:
        _check_package(config, "quantization_bit", python, BITSANDBYTES)


def check_deepspeed(config: Config, python: Path) -> None:
    """Refuse a training with DeepSpeed where that is not installed, unless Ray trains on other machines.

    Args:
        config: The training configuration.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: It is not installed; the hint is the command that installs it.
    """
    if config.values.get(DEEPSPEED):
        _check_package(config, DEEPSPEED, python, DEEPSPEED, "-c", str(shipped("constraints.txt")))


def check_trackers(config: Config, python: Path) -> None:
    """Refuse a tracker of `report_to` that is not installed, unless Ray trains on other machines.

    transformers would refuse it, too, but only after it has loaded the model.

    Args:
        config: The training configuration.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: One is not installed; the hint is the command that installs its package.
    """
    wrong = tracker_problem(config.values, python)
    if wrong is not None:
        raise config.wrong(REPORT_TO, *wrong)


def tracker_problem(values: Mapping[str, Any], python: str | Path) -> tuple[str, str] | None:
    """Return the problem with a tracker that is not installed, and the command that installs its package.

    None if all of them are installed, or Ray trains on other machines.

    Args:
        values: The values of a training configuration.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: The interpreter cannot be run.
    """
    named = trackers(values.get(REPORT_TO))
    missing = None if under_ray(values, os.environ) else missing_tracker(named, python)
    if missing is None:
        return None
    name, package = missing
    problem = f"{name} needs the package {package}, which is not installed for {python}"
    return problem, constrained_install(python, package)


def _check_package(config: Config, key: str, python: Path, package: str, *options: str) -> None:
    """Refuse an argument whose package is missing, unless Ray trains; pip's options are for the hint."""
    if not under_ray(config.values, os.environ) and look(python, package).versions[package] is None:
        raise config.wrong(
            key,
            f"needs the package {package}, which is not installed for {python}",
            shlex.join([str(python), "-m", "pip", "install", *options, package]),
        )


_OF_RAY: Final = (
    "ray_num_workers",
    "ray_init_kwargs",
    "ray_run_name",
    "ray_storage_path",
    "ray_storage_filesystem",
    "resources_per_worker",
    "placement_strategy",
)
"""Arguments that have an effect only under Ray; the last five up to 0.9.4."""


def under_ray(values: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Return whether Ray is to train, on machines that may differ from this one.

    Args:
        values: The values of a training configuration.
        environ: The environment variables.
    """
    return is_on(environ, "USE_RAY") or any(values.get(name) is not None for name in _OF_RAY)


def is_on(environ: Mapping[str, str], name: str) -> bool:
    """Return whether LLaMA-Factory reads an environment variable as switched on."""
    return environ.get(name, "").lower() in ("1", "true", "y")


_MODELS = ("model_name_or_path", "adapter_name_or_path", "ref_model", "ref_model_adapters")
"""Arguments that name weights; an export reads the first two."""

WRITTEN = ("all_results.json", "train_results.json", "trainer_log.jsonl", "trainer_state.json", MANIFEST)
"""Files of rows or of objects that a training writes into its output folder."""


def check_training(config: Config, version: Version | None = None) -> list[Dataset]:
    """Check a training configuration; return its datasets.

    Args:
        config: The YAML and its overrides.
        version: The LLaMA-Factory it is for; if None, the form of preference pairs is not checked.

    Raises:
        UserError: It cannot be trained; names the first problem found.
    """
    values = config.values
    if "export_dir" in values:
        raise config.wrong("export_dir", "this is an export configuration", "Use w2s-factory export")
    if values.get("stage") not in STAGES:
        raise config.wrong("stage", f"expected one of {', '.join(STAGES)}, got {values.get('stage')!r}")
    if values.get("do_train") is not True:
        raise config.wrong("do_train", "expected true, since nothing would be trained otherwise")
    _check_text(config, "output_dir", "the folder for the trained weights")
    _check_template(config)
    _check_models(config, *_MODELS)
    _check_own_folder(config, "output_dir")
    _check_deepspeed_file(config)
    _check_numbers(config)
    datasets = named_datasets(config)
    for dataset in datasets:
        try:
            dataset.check_use(values["stage"], version)
            dataset.check_template(values["template"])
        except UserError as error:
            raise error.at(file=config.path) from None
        _check_not_written(config, dataset)
    return datasets


def check_export(config: Config) -> None:
    """Check an export configuration.

    Raises:
        UserError: It cannot be exported; names the first problem found.
    """
    if "do_train" in config.values:
        raise config.wrong("do_train", "this is a training configuration", "Use w2s-factory train")
    _check_text(config, "export_dir", "the folder for the merged model")
    _check_template(config)
    _check_models(config, *_MODELS[:2])
    _check_own_folder(config, "export_dir")
    _check_numbers(config)


def _check_text(config: Config, key: str, meaning: str) -> None:
    """Refuse a key that is missing or does not hold text."""
    value = config.values.get(key)
    if not isinstance(value, str) or not value:
        raise config.wrong(key, f"expected {meaning}, got {value!r}")


def _check_template(config: Config) -> None:
    """Refuse a configuration without a template."""
    if config.values.get("template") is None:
        raise config.wrong(
            "template",
            "is not set: LLaMA-Factory would guess one, and may train without EOS",
            "Set template: vanilla",
            topic="template-without-eos",
        )


def _check_models(config: Config, required: str, *optional: str) -> None:
    """Refuse folders of weights that do not exist; names on the hub are not looked up."""
    _check_text(config, required, "a model's name or folder")
    for key in (required, *optional):
        for name in config.names(key):
            if is_path(name) and not Path(name).is_dir():
                unexpanded = "Write it without ~, which LLaMA-Factory does not expand"
                hint = unexpanded if name.startswith("~") else None
                raise config.wrong(key, f"no such folder: {name}", hint)


def _check_own_folder(config: Config, written: str) -> None:
    """Refuse to overwrite weights that the training or export reads."""
    folder = Path(config.values[written])
    for key in _MODELS:
        if any(is_same_file(folder, Path(name).expanduser()) for name in config.names(key)):
            problem = f"{folder} is also {key}, whose weights would be overwritten"
            raise config.wrong(written, problem, "Choose another folder")


def _check_not_written(config: Config, dataset: Dataset) -> None:
    """Refuse to train on a file that the training writes."""
    folder = Path(config.values["output_dir"])
    if dataset.file and any(is_same_file(dataset.file, folder / name) for name in WRITTEN):
        problem = f"{dataset.file}, a file of {dataset.name!r}, would be overwritten"
        raise config.wrong("output_dir", problem, "Choose another folder")


def _check_deepspeed_file(config: Config) -> None:
    """Refuse a DeepSpeed file that does not exist, and `use_cpu`, which switches DeepSpeed off."""
    file = config.values.get(DEEPSPEED)
    if isinstance(file, str) and not Path(file).is_file():
        raise config.wrong(DEEPSPEED, f"no such file: {file}")
    for key in ("use_cpu", "no_cuda"):
        if file and _is_true(config.values.get(key)):
            raise config.wrong(
                key,
                "with it, transformers trains without DeepSpeed",
                "Remove it; without a GPU, bf16=false is enough, and CUDA_VISIBLE_DEVICES= hides GPUs",
            )


def _check_numbers(config: Config) -> None:
    """Refuse numbers that are out of range."""
    for key, value in config.values.items():
        problem = argument_problem(key, value)
        if problem is not None:
            raise config.wrong(key, problem)
