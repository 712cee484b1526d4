"""What a user gives a preset: model, adapters, folders; checked, and named as LLaMA-Factory needs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError, encodable
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.presets import FOLDER, Entry, Preset
from w2s_factory.llamafactory.settings import as_yaml
from w2s_factory.model_names import on_hub
from w2s_factory.records import read_object
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Sequence


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
