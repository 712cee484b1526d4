"""Training YAMLs: a preset, completed for a model and a dataset, and written for a version of LLaMA-Factory.

Includes the checks of the models, adapters and folders that a user names, and the choice of the reference
model or the start of preference training.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from packaging.version import Version as Number

from w2s_factory.errors import UserError, encodable, listed, one_line
from w2s_factory.llamafactory.arguments import renamed, translated
from w2s_factory.llamafactory.asked_format import with_found_template
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.datasets import check_datasets
from w2s_factory.llamafactory.installation import installed_version
from w2s_factory.llamafactory.preference_methods import METHODS
from w2s_factory.llamafactory.presets import FOLDER, Entry, Preset, load_preset
from w2s_factory.llamafactory.settings import (
    as_yaml,
    check_preset,
    with_settings,
    with_thinking,
    with_trackers_named,
)
from w2s_factory.llamafactory.training_config import check_suffix
from w2s_factory.llamafactory.versions import NEWEST, Version, for_installed, for_version
from w2s_factory.model_names import on_hub
from w2s_factory.records import read_object
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.llamafactory.datasets import Dataset
    from w2s_factory.llamafactory.settings import TrainedThinking


def check_inputs(
    preset: Preset, dataset: str | None, dataset_dir: str | Path | None, adapter: Sequence[str | Path]
) -> None:
    """Refuse inputs that the preset has no use for, and the absence of those it needs.

    Raises:
        UserError: An input is missing or of no use; names the option.
    """
    needed = f'preset "{preset.name}" needs '
    if preset.trains and (dataset is None or dataset_dir is None):
        raise UserError(needed + "a dataset", hint="Name it and its folder: --dataset NAME --dataset-dir DIR")
    if not preset.trains and (dataset is not None or dataset_dir is not None):
        raise UserError(
            f'preset "{preset.name}" takes no dataset', hint="Leave out --dataset and --dataset-dir"
        )
    if not preset.trains and not adapter:
        raise UserError(needed + "an adapter to merge", hint="Name it: --adapter DIR")
    if adapter and preset.entries["finetuning_type"].value == "full":
        raise UserError(f'preset "{preset.name}" trains all parameters and takes no adapter')


def model_lines(model: str | Path, adapters: Sequence[str | Path], *, ahead: bool) -> list[str | Entry]:
    """Return the lines that name the model and its adapters.

    Args:
        model: A folder or hub name.
        adapters: Folders or hub names.
        ahead: Accept folders that do not exist yet, since they will before the training.

    Raises:
        UserError: A folder does not exist or does not contain a model or an adapter.
    """
    lines: list[str | Entry] = [given("model_name_or_path", _named(model, "config.json", "--model", ahead))]
    names = [_named(adapter, "adapter_config.json", "--adapter", ahead) for adapter in adapters]
    if any("," in name for name in names):
        raise UserError(
            "an adapter's path cannot contain a comma, which separates adapters", field="--adapter"
        )
    return [*lines, given("adapter_name_or_path", ",".join(names))] if names else lines


def not_there(
    model: str | Path, adapters: Sequence[str | Path], dataset_dir: str | Path | None
) -> list[Path]:
    """Return the folders (and the index) that a training needs and that do not exist yet.

    Names on the hub are not among them.
    """
    folders = [absolute(name) for name in (model, *adapters) if not on_hub(name)]
    index = [] if dataset_dir is None else [absolute(dataset_dir) / INDEX]
    return [path for path in [*folders, *index] if not path.exists()]


def config_reads(
    preset: str,
    model: str | Path,
    adapters: Sequence[str | Path],
    dataset: str | None,
    dataset_dir: str | Path | None,
) -> list[Path]:
    """Return the files that a config is built from: preset, index, data, and the models' own configs."""
    files = [shipped(FOLDER, f"{preset}.yaml"), absolute(model) / "config.json"]
    files += [absolute(adapter) / "adapter_config.json" for adapter in adapters]
    if dataset is None or dataset_dir is None:
        return files
    index = absolute(dataset_dir) / INDEX
    entries = read_object(index) if index.is_file() else {}
    found = [entries.get(name.strip()) for name in dataset.split(",")]
    names = [entry.get("file_name") for entry in found if isinstance(entry, dict)]
    return [*files, index, *(index.parent / name for name in names if isinstance(name, str))]


def given(key: str, text: str) -> Entry:
    """Return a line with a value that the user gave.

    Raises:
        UserError: It contains bytes that are not UTF-8, which a YAML cannot contain.
    """
    return Entry(key, as_yaml(_encoded(key, text)), "given")


def given_folder(key: str, path: str | Path) -> Entry:
    """Return a line with a folder that the user gave, made absolute.

    Raises:
        UserError: Its path contains bytes that are not UTF-8, which a YAML cannot contain.
    """
    text = _encoded(key, str(absolute(path)))
    return Entry(key, as_yaml(text), "given; absolute, so that it is valid in any working folder")


def _encoded(key: str, text: str) -> str:
    """Return a text if it is UTF-8; refuse it otherwise."""
    if encodable(text) != text:
        raise UserError(f"expected UTF-8 text, got {text!r}", field=key)
    return text


def absolute(path: str | Path) -> Path:
    """Return an absolute path with `~` expanded; links stay, since other machines may know only them."""
    return Path(path).expanduser().absolute()


def _named(weights: str | Path, file: str, option: str, ahead: bool) -> str:
    """Return a folder's absolute path, or a name on the hub as it is.

    Raises:
        UserError: The folder does not exist, or does not contain the file.
    """
    path, text = absolute(weights), str(weights)
    if path.exists():
        if not (path / file).exists():
            raise UserError(f"expected a folder with {file} ({option})", file=path)
        return str(path)
    if on_hub(weights):
        return text
    if not ahead:
        raise UserError(f"no such folder ({option})", file=text)
    return str(path)


StageTwoModel: TypeAlias = Literal["m-plus", "base"]
"""A choice of Stage II: M_plus, the model that Stage I trained, or the strong base that M_plus came from."""

_NEVER_MERGED = ("quantization_bit", "quantization_method", "deepspeed")
"""Arguments with which LLaMA-Factory does not merge an adapter before it trains a new one."""


def preference_settings(
    preset: Preset,
    adapters: Sequence[str | Path],
    settings: Mapping[str, Any],
    *,
    reference: StageTwoModel | None = None,
    start: StageTwoModel | None = None,
) -> dict[str, Any]:
    """Return the settings that select the reference model of a method, or the model it starts from.

    With LoRA and without `ref_model`, LLaMA-Factory's reference is the model with its adapter disabled.
    With `create_new_adapter`, M_plus's adapter is merged first and a new one is trained, so the reference
    is M_plus. Without it, M_plus's own adapter is trained further, and the reference is the base. The
    published release does not say which one it used.

    Args:
        preset: The preset chosen.
        adapters: M_plus's adapter on its base; none if the model is the merged M_plus, or the base.
        settings: The user's settings.
        reference: The reference, for a method that has one (DPO); `m-plus` if None.
        start: The start, for a method without a reference (ORPO, SimPO): `base` takes no adapter.

    Raises:
        UserError: The preset has no use for the option, an adapter is missing or of no use, or
            LLaMA-Factory would not merge the adapter.
    """
    _check_choice(preset, adapters, reference, start)
    if preset.method is None or not adapters:
        return {}
    if reference == "base":
        return {"create_new_adapter": False}
    for key in _NEVER_MERGED:
        if settings.get(key) is not None:
            raise UserError(
                "with it LLaMA-Factory does not merge the adapter, so the base would be the reference",
                field=key,
                hint="Merge M_plus first (preset export) and name the merged model with --model",
            )
    return {}


def _check_choice(
    preset: Preset,
    adapters: Sequence[str | Path],
    reference: StageTwoModel | None,
    start: StageTwoModel | None,
) -> None:
    """Refuse a choice of the reference or the start that the preset's method or the adapters exclude."""
    method = METHODS[preset.method] if preset.method else None
    if reference is not None and not (method and method.reference):
        raise UserError(f'the preset "{preset.name}" has no reference model', field="--reference")
    if start is not None and (method is None or method.reference):
        raise UserError(f'the preset "{preset.name}" has no choice of where it starts', field="--start")
    if reference == "base" and not adapters:
        raise UserError(
            "the model itself would be the reference",
            field="--reference",
            hint="Name the base with --model and M_plus's adapter with --adapter",
        )
    if start == "base" and adapters:
        raise UserError(
            "training from the base takes no adapter", field="--start", hint="Leave out --adapter"
        )


def make_config(  # noqa: PLR0913  each is a property of a training
    preset: str | Path,
    *,
    model: str | Path,
    output_dir: str | Path,
    dataset: str | None = None,
    dataset_dir: str | Path | None = None,
    adapter: str | Path | Sequence[str | Path] = (),
    version: str | None = None,
    settings: Mapping[str, Any] | None = None,
    index: Mapping[str, Any] | None = None,
    ahead: bool = False,
    reference: StageTwoModel | None = None,
    start: StageTwoModel | None = None,
    thinking: TrainedThinking | None = None,
    chat: str | Path | None = None,
    python: str | Path | None = None,
    file: str | Path | None = None,
) -> str:
    """Return the text of a training YAML (or, from the preset `export`, of one that merges adapters).

    Its arguments have the names of the version. Each line has a comment with the basis of its value.

    Args:
        preset: A preset's name (`strong_lora_sft`), or the path of a YAML file in the form of a preset.
        model: A model's folder, or its name on the hub.
        output_dir: The folder where LLaMA-Factory writes the adapter or model.
        dataset: The dataset's name in `dataset_dir`; several are separated by commas.
        dataset_dir: The folder with `dataset_info.json`.
        adapter: An adapter, or several, to start from or to merge: folders or hub names.
        version: The LLaMA-Factory it is for (`0.6.2`, `0.8.x`); by default the one installed here, or
            else the newest known.
        settings: Values by argument, in place of the preset's or in addition to them.
        index: The future content of `dataset_info.json`, if it is not written yet; by default the file
            is read.
        reference: DPO's reference, `m-plus` (the default) or `base`: see `preference_settings`.
        start: The model that ORPO and SimPO start from, likewise.
        thinking: Whether a model that thinks is trained with its thinking, or on answers alone; by default,
            as the preset has it. A version without `enable_thinking` gets a comment instead.
        chat: A Jinja file with the chat template in which generation will ask, for `template: auto`; by
            default the model's own.
        python: The interpreter of LLaMA-Factory's environment, by which the template is found where the
            preset has `template: auto`; by default, the current one.
        file: The YAML's own name, for the commands in its head.
        ahead: Accept that model, adapters and index do not exist yet (`not_there` returns them).

    Raises:
        UserError: There is no such preset, version, dataset, model or argument, or they do not fit
            together; or the template is `auto`, and none is found.
        DelegateError: The template is `auto`, and LLaMA-Factory cannot be imported.
    """
    _check_paths(file, {"--output-dir": output_dir, "--dataset-dir": dataset_dir})
    target, origin = _target(version)
    chosen = load_preset(preset)
    if chosen.file is not None:
        check_preset(chosen, target)
    settings, adapter = settings or {}, listed(adapter, "adapter")
    settings = {
        **settings,
        **preference_settings(chosen, adapter, settings, reference=reference, start=start),
    }
    body = with_settings(_with_files(translated(chosen, target)), renamed(settings, chosen, target), target)
    body = with_trackers_named(with_thinking(body, thinking, target))
    check_inputs(chosen, dataset, dataset_dir, adapter)
    inputs = model_lines(model, adapter, ahead=ahead)
    rows: list[Dataset] = []
    if dataset is not None and dataset_dir is not None:
        folder = absolute(dataset_dir)
        if not ahead or index is not None or (folder / INDEX).exists():
            template = body.entries["template"].value
            rows = check_datasets(
                dataset, folder, method=chosen.method, version=target, template=template, index=index
            )
        inputs += [given("dataset", dataset), given_folder("dataset_dir", dataset_dir)]
    inputs.append(given_folder("output_dir" if chosen.trains else "export_dir", output_dir))
    body = with_found_template(body, absolute(model), rows, target, chat=chat, python=python)
    header = _header(chosen, target, origin, "FILE" if file is None else file)
    lines = [*header, *_legend(body), "", "### given", *inputs, *_after_legend(body)]
    return "\n".join(map(str, lines)) + "\n"


def launch_commands(
    preset: str | Path, version: str | None = None, file: str | Path = "FILE"
) -> tuple[str, str]:
    """Return the two commands that run a YAML made from a preset: ours, and plain LLaMA-Factory's.

    Args:
        preset: The preset's name, or the path of a user's own preset.
        version: The LLaMA-Factory it was made for, as in `make_config`.
        file: The YAML.
    """
    chosen, (target, _) = load_preset(preset), _target(version)
    quoted = shlex.quote(str(file))
    ours = f"w2s-factory {'train' if chosen.trains else 'export'} {quoted}"
    plain = f"{target.train if chosen.trains else target.export} {quoted}"
    if "deepspeed" in chosen.entries:
        plain = _torchrun(plain, target)
    if "ray_num_workers" in chosen.entries:
        plain = f"USE_RAY=1 {plain}"
    return ours, plain


def _target(version: str | None) -> tuple[Version, str]:
    """Return the version to write for, and where its number comes from, for the head of the YAML.

    Raises:
        UserError: The version named or installed is not known.
    """
    if version is not None:
        return for_version(version), "named"
    found = installed_version()
    if found is None:
        return for_version(NEWEST), "none is installed here"
    try:
        target = for_installed(found)
    except UserError as error:
        named = f"{error.hint}; name the nearest with --llamafactory-version"
        raise UserError(f"the installed {error.problem}", hint=named) from None
    known = Number(found).base_version == target.number
    return target, "installed" if known else f"the newest known here; installed is {found}"


def _torchrun(command: str, version: Version) -> str:
    """Return a command that runs LLaMA-Factory's command on every GPU."""
    if version.torchrun:
        return f"FORCE_TORCHRUN=1 {command}"
    program = f"--no-python {command}" if version.command_line else command.removeprefix("python ")
    return f"torchrun --nproc_per_node GPUS {program}"


def _check_paths(file: str | Path | None, folders: Mapping[str, str | Path | None]) -> None:
    """Refuse a file that is not a YAML by its name, and empty names of folders."""
    if file is not None:
        check_suffix(file)
    for option, folder in folders.items():
        if folder is not None and not str(folder):
            raise UserError("is empty; write . for the working folder", field=option)


def _header(preset: Preset, version: Version, origin: str, file: str | Path) -> list[str]:
    """Return the comment at the top of the YAML: its origin, and the commands that run it."""
    ours, plain = map(one_line, launch_commands(preset.name, version.number, file))
    install = "" if version.vanilla == "vanilla" else ' (after "w2s-factory template install")'
    return [
        f"# {preset.summary}",
        f"# Made by w2s-factory from the preset {one_line(preset.name)},",
        f"# for LLaMA-Factory {version.number} ({origin}).",
        f"# Run it:  {ours}",
        f"# or:      {plain}{install}",
    ]


def _legend(preset: Preset) -> list[str | Entry]:
    """Return the comment that a preset begins with."""
    return list(preset.lines[: preset.lines.index("")])


def _after_legend(preset: Preset) -> list[str | Entry]:
    """Return the lines of a preset after the comment that it begins with."""
    return list(preset.lines[preset.lines.index("") :])


def _with_files(preset: Preset) -> Preset:
    """Return the preset with the absolute path of the DeepSpeed file, which is in the presets' folder."""
    return preset.with_lines(
        [
            Entry(line.key, as_yaml(str(shipped(FOLDER, line.text))), line.comment)
            if isinstance(line, Entry) and line.key == "deepspeed"
            else line
            for line in preset.lines
        ]
    )
