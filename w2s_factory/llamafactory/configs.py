"""Training YAMLs: a preset, filled in for one model and dataset, for one version of LLaMA-Factory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version as Number

from w2s_factory.errors import UserError, listed, one_line
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.inputs import absolute, check_inputs, given, given_folder, weights
from w2s_factory.llamafactory.installed import installed_version
from w2s_factory.llamafactory.lookup import check_datasets
from w2s_factory.llamafactory.preference import Model, preference_settings
from w2s_factory.llamafactory.presets import FOLDER, Entry, Preset, load_preset
from w2s_factory.llamafactory.settings import as_yaml, check_preset, with_settings
from w2s_factory.llamafactory.translation import renamed, translated
from w2s_factory.llamafactory.versions import NEWEST, Version, for_installed, for_version
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
