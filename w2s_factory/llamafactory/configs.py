"""Training YAMLs: a preset, filled in for one model and dataset, for one version of LLaMA-Factory.

Includes the checks of models, adapters and folders that a user names, and the reference model of
preference training.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from packaging.version import Version as Number

from w2s_factory.errors import UserError, encodable, listed, one_line
from w2s_factory.llamafactory.arguments import renamed, translated
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.datasets import check_datasets
from w2s_factory.llamafactory.installed import installed_version
from w2s_factory.llamafactory.presets import FOLDER, Entry, Preset, load_preset
from w2s_factory.llamafactory.settings import as_yaml, check_preset, with_settings
from w2s_factory.llamafactory.versions import NEWEST, Version, for_installed, for_version
from w2s_factory.model_names import on_hub
from w2s_factory.records import read_object
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.llamafactory.presets import Preset


def check_inputs(
    preset: Preset, dataset: str | None, dataset_dir: str | Path | None, adapter: Sequence[str | Path]
) -> None:
    """Refuse inputs the preset has no use for, and the lack of those it needs.

    Raises:
        UserError: Names the option.
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


def weights(model: str | Path, adapters: Sequence[str | Path], *, ahead: bool) -> list[str | Entry]:
    """The lines that name the model and its adapters.

    Args:
        model: A folder or hub name.
        adapters: Folders or hub names.
        ahead: Let folders be missing: they will be made before the training.

    Raises:
        UserError: A folder is missing or holds something else.
    """
    lines: list[str | Entry] = [given("model_name_or_path", _named(model, "config.json", "--model", ahead))]
    names = [_named(adapter, "adapter_config.json", "--adapter", ahead) for adapter in adapters]
    if any("," in name for name in names):
        raise UserError("an adapter's path cannot hold a comma, which separates adapters", field="--adapter")
    return [*lines, given("adapter_name_or_path", ",".join(names))] if names else lines


def not_there(
    model: str | Path, adapters: Sequence[str | Path], dataset_dir: str | Path | None
) -> list[Path]:
    """Folders (and the index) that a training needs and that do not exist yet; hub names do not count."""
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
    """Return the files a config is made from: the preset, the index with its data, and those of models."""
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
    """A line with what the user gave.

    Raises:
        UserError: It holds bytes that are not UTF-8, which no YAML can hold.
    """
    return Entry(key, as_yaml(_encoded(key, text)), "given")


def given_folder(key: str, path: str | Path) -> Entry:
    """A line with a folder, made absolute.

    Raises:
        UserError: Its path holds bytes that are not UTF-8, which no YAML can hold.
    """
    text = _encoded(key, str(absolute(path)))
    return Entry(key, as_yaml(text), "given; absolute, so that it holds in any working folder")


def _encoded(key: str, text: str) -> str:
    if encodable(text) != text:
        raise UserError(f"expected UTF-8 text, got {text!r}", field=key)
    return text


def absolute(path: str | Path) -> Path:
    """The path from the root, `~` expanded; links stay, since other machines may know only them."""
    return Path(path).expanduser().absolute()


def _named(weights: str | Path, file: str, option: str, ahead: bool) -> str:
    """A folder's absolute path, or a name on the hub as it is."""
    path, text = absolute(weights), str(weights)
    if path.exists():
        if not (path / file).exists():
            raise UserError(f"holds no {file}, so it is not what {option} takes", file=path)
        return str(path)
    if on_hub(weights):
        return text
    if not ahead:
        raise UserError(f"no such folder ({option})", file=text)
    return str(path)


Model: TypeAlias = Literal["m-plus", "base"]
"""M_plus, the model Stage I made, or the strong base it was trained from."""

_NEVER_MERGED = ("quantization_bit", "quantization_method", "deepspeed")


def preference_settings(
    preset: Preset,
    adapters: Sequence[str | Path],
    settings: Mapping[str, Any],
    *,
    reference: Model | None = None,
    start: Model | None = None,
) -> dict[str, Any]:
    """The settings that give DPO its reference, ORPO and SimPO their start.

    LLaMA-Factory's reference, with LoRA and no `ref_model`, is the model with its adapter disabled. With
    `create_new_adapter` M_plus's adapter is merged first and a new one trained, so the reference is
    M_plus; without it M_plus's own adapter is trained on, and the reference is the base. The release
    does not say which it used.

    Args:
        preset: The preset chosen.
        adapters: M_plus's adapter on its base; none if the model is M_plus merged, or the base.
        settings: The user's settings.
        reference: DPO's; `m-plus` if None.
        start: ORPO's and SimPO's: `base` takes no adapter.

    Raises:
        UserError: The preset has no use for the option, the adapter that it needs is missing or one
            that it excludes is given, or LLaMA-Factory would not merge the adapter.
    """
    _check(preset, adapters, reference, start)
    if preset.method is None or not adapters:
        return {}
    if reference == "base":
        return {"create_new_adapter": False}
    for key in _NEVER_MERGED:
        if settings.get(key) is not None:
            raise UserError(
                "LLaMA-Factory does not merge an adapter then, and the base would be the reference",
                field=key,
                hint="Merge M_plus first (preset export) and name the merged model with --model",
            )
    return {}


def _check(
    preset: Preset, adapters: Sequence[str | Path], reference: Model | None, start: Model | None
) -> None:
    if reference is not None and preset.method != "dpo":
        raise UserError(f'the preset "{preset.name}" has no reference model', field="--reference")
    if start is not None and preset.method not in ("orpo", "simpo"):
        raise UserError(f'the preset "{preset.name}" has no such choice', field="--start")
    if reference == "base" and not adapters:
        raise UserError(
            "the reference would be the model itself",
            field="--reference",
            hint="Name the base with --model and M_plus's adapter with --adapter",
        )
    if start == "base" and adapters:
        raise UserError("a start from the base takes no adapter", field="--start", hint="Leave out --adapter")


def make_config(  # noqa: PLR0913  each is one thing to say of a training
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
    reference: Model | None = None,
    start: Model | None = None,
    file: str | Path | None = None,
) -> str:
    """The text of a training YAML (or, from the preset `export`, of one that merges adapters).

    Its arguments are named as the version names them. Each line says what its value rests on.

    Args:
        preset: A preset's name (`strong_lora_sft`), or the path of a YAML file of that form.
        model: A model's folder, or its name on the hub.
        output_dir: Where LLaMA-Factory shall put the adapter or model.
        dataset: The dataset's name in `dataset_dir`; several are separated by commas.
        dataset_dir: The folder with `dataset_info.json`.
        adapter: Adapters, or one adapter, to start from or to merge: folders or hub names.
        version: The LLaMA-Factory it is for (`0.6.2`, `0.8.x`); by default the one installed here, or
            else the newest known.
        settings: Values by argument, in place of the preset's or beside them.
        index: What `dataset_info.json` will hold, if it is not yet written; else it is looked up.
        reference: DPO's reference, `m-plus` (the default) or `base`: see `preference_settings`.
        start: What ORPO and SimPO start from, likewise.
        file: The YAML's own name, for the commands in its head.
        ahead: Let model, adapters and index be missing (`not_there` names them), to be made later.

    Raises:
        UserError: There is no such preset, version, dataset, model or argument, or they don't fit.
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
    check_inputs(chosen, dataset, dataset_dir, adapter)
    inputs = weights(model, adapter, ahead=ahead)
    if dataset is not None and dataset_dir is not None:
        folder = absolute(dataset_dir)
        if not ahead or index is not None or (folder / INDEX).exists():
            check_datasets(dataset, folder, method=chosen.method, version=target, index=index)
        inputs += [given("dataset", dataset), given_folder("dataset_dir", dataset_dir)]
    inputs.append(given_folder("output_dir" if chosen.trains else "export_dir", output_dir))
    header = _header(chosen, target, origin, "FILE" if file is None else file)
    lines = [*header, *_legend(body), "", "### given", *inputs, *_after_legend(body)]
    return "\n".join(map(str, lines)) + "\n"


def launch_commands(
    preset: str | Path, version: str | None = None, file: str | Path = "FILE"
) -> tuple[str, str]:
    """The two commands that run a YAML made from a preset: ours, and plain LLaMA-Factory's.

    Args:
        preset: The preset's name, or the path of a YAML file of your own.
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
    """The version to write for, and where it was taken from."""
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
    if version.torchrun:
        return f"FORCE_TORCHRUN=1 {command}"
    program = f"--no-python {command}" if version.command_line else command.removeprefix("python ")
    return f"torchrun --nproc_per_node GPUS {program}"


def _check_paths(file: str | Path | None, folders: Mapping[str, str | Path | None]) -> None:
    if file is not None and Path(file).suffix not in (".yaml", ".yml"):
        raise UserError("is not a .yaml file, the only kind every LLaMA-Factory reads", file=file)
    for option, folder in folders.items():
        if folder is not None and not str(folder):
            raise UserError("is empty; . is the working folder", field=option)


def _header(preset: Preset, version: Version, origin: str, file: str | Path) -> list[str]:
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
    """The comment a preset begins with."""
    return list(preset.lines[: preset.lines.index("")])


def _after_legend(preset: Preset) -> list[str | Entry]:
    return list(preset.lines[preset.lines.index("") :])


def _with_files(preset: Preset) -> Preset:
    """The preset with the DeepSpeed file, which lies beside the presets, named by its path."""
    return preset.with_lines(
        [
            Entry(line.key, as_yaml(str(shipped(FOLDER, line.text))), line.comment)
            if isinstance(line, Entry) and line.key == "deepspeed"
            else line
            for line in preset.lines
        ]
    )
