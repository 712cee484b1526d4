"""Presets: flat YAML files of training arguments, each with the basis of its value as a comment.

Those of the package are in `llama_factory_configs/`; a user's own file is read in the same form. The names of
their arguments are translated for a version of LLaMA-Factory in `arguments.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from w2s_factory.errors import UserError, did_you_mean, shown
from w2s_factory.llamafactory.preference_methods import BY_LOSS
from w2s_factory.records.yaml_files import Loader, read_yaml
from w2s_factory.shipped import shipped

FOLDER = "llama_factory_configs"

_DEEPSPEED = "deepspeed"


@dataclass(frozen=True)
class Entry:
    """A line of a training YAML that sets an argument.

    Attributes:
        key: An argument of LLaMA-Factory.
        text: Its value, as YAML on one line.
        comment: The basis of the value, or another remark about it.
        line: Its line in the file of a user's own preset, counted from 1; None in other presets.
    """

    key: str
    text: str
    comment: str
    line: int | None = None

    @property
    def value(self) -> Any:
        """Return the parsed value."""
        return yaml.load(self.text, Loader)  # noqa: S506  a SafeLoader

    def __str__(self) -> str:
        return f"{self.key}: {self.text}  # {self.comment}"


@dataclass(frozen=True)
class Preset:
    """A set of arguments for one role and stage, in the newest LLaMA-Factory's names.

    Attributes:
        name: Its name in commands: `strong_lora_sft`, or the path of a user's own file.
        summary: Its purpose, in a line.
        lines: Its lines in order: entries, and comments and blank lines as text.
        file: The file of a user's own preset; None for one that comes with the package.
    """

    name: str
    summary: str
    lines: tuple[str | Entry, ...]
    file: Path | None = None

    @property
    def entries(self) -> dict[str, Entry]:
        """Return its entries by key."""
        return {line.key: line for line in self.lines if isinstance(line, Entry)}

    @property
    def trains(self) -> bool:
        """Return whether it trains on a dataset; a preset for export does not."""
        return "do_train" in self.entries

    @property
    def method(self) -> str | None:
        """Return the name of its preference method; None for supervised fine-tuning and export."""
        loss = self.entries.get("pref_loss")
        return None if loss is None else BY_LOSS[loss.value].name

    def with_lines(self, lines: list[str | Entry]) -> Preset:
        """Return the same preset with other lines."""
        return replace(self, lines=tuple(lines))


def preset_names() -> list[str]:
    """Return the names of the package's presets, in alphabetical order."""
    return sorted(path.stem for path in shipped(FOLDER).glob("*.yaml"))


def load_preset(name: str | Path) -> Preset:
    """Return a preset by its name, or from a user's own YAML file.

    Args:
        name: A name, or a path: a `Path`, or text that contains a `/` or ends in `.yaml` or `.yml`.

    Raises:
        UserError: There is no preset of that name, or the file is not a preset; with its line.
    """
    if not isinstance(name, (str, Path)):
        raise UserError(f"expected the name of a preset or a file, got {shown(name)}", field="preset")
    if not is_file(name):
        return _shipped_preset(str(name))
    path = str(name) if is_file(str(name)) else f"./{name}"  # so that it is read as a path again
    return _read_preset(path)


@cache
def _shipped_preset(name: str) -> Preset:
    """Return a preset of the package by its name."""
    if name not in preset_names():
        hint = did_you_mean(name, preset_names()) or f"Presets: {', '.join(preset_names())}."
        raise UserError(f'no preset "{name}"', hint=f"{hint} Name a file of your own as ./FILE.yaml")
    summary, *lines = shipped(FOLDER, f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return Preset(name, summary.removeprefix("# "), tuple(map(_parsed, lines)))


def is_file(name: str | Path) -> bool:
    """Return whether a preset's name is the path of a file."""
    return isinstance(name, Path) or "/" in name or name.endswith((".yaml", ".yml"))


def _parsed(line: str) -> str | Entry:
    """Return a line of a shipped preset: an entry, or a comment or blank line as it is."""
    if not line or line.startswith("#"):
        return line
    setting, _, comment = line.partition("  # ")
    key, _, text = setting.partition(": ")
    return Entry(key, text, comment)


def _read_preset(name: str) -> Preset:
    """Return a user's own preset from its file.

    Raises:
        UserError: The file is not a preset; with its line.
    """
    path = Path(name)
    found = read_yaml(path, missing=_how_to_list)
    lines = found.text.splitlines()
    entries = {entry.line: entry for entry in (_entry(path, lines, *pair) for pair in found.root.value)}
    parsed = [entries.get(number) or line.strip() for number, line in enumerate(lines, 1)]
    summary = f"Your own preset, {path.name}."
    if parsed and isinstance(parsed[0], str) and parsed[0].startswith("# "):
        summary = str(parsed.pop(0)).removeprefix("# ")
    if not parsed or not str(parsed[0]).startswith("#") or "" not in parsed:
        parsed.insert(0, "")  # the lines before the first blank one are the legend
    preset = Preset(name, summary, tuple(parsed), path)
    _check_use(preset)
    return preset


def _how_to_list(_: Path) -> str:
    """Return the hint for a file that does not exist."""
    return "w2s-factory make-config --list shows the presets that come with the package"


def _entry(path: Path, lines: list[str], key: yaml.Node, value: yaml.Node) -> Entry:
    """Return the entry for a key and value of a user's own preset.

    Raises:
        UserError: The key is not text, or the value is not on the key's line or cannot be read.
    """
    number = key.start_mark.line + 1
    if not isinstance(key, yaml.ScalarNode):
        raise UserError("expected `key: value` lines", file=path, line=number)
    if key.start_mark.line != value.end_mark.line or not value.start_mark.index < value.end_mark.index:
        raise UserError("expected a value on the same line", file=path, line=number, field=key.value)
    line = lines[number - 1]
    text = line[value.start_mark.column : value.end_mark.column]
    try:
        yaml.load(text, Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError):
        raise UserError(f"cannot read the value {text}", file=path, line=number, field=key.value) from None
    if key.value == _DEEPSPEED:
        text = _deepspeed(path, number, value)
    comment = line[value.end_mark.column :].strip().lstrip("#").strip()
    return Entry(key.value, text, comment or f"from {path.name}", number)


def _deepspeed(path: Path, line: int, value: yaml.Node) -> str:
    """Return the path of a DeepSpeed file: one next to the preset, or one of the package (`ds_z3.json`).

    Raises:
        UserError: There is neither.
    """
    name = str(value.value)
    for file in (path.absolute().parent / name, shipped(FOLDER, name)):
        if file.is_file():
            return str(file)
    raise UserError(f"no such file: {name}", file=path, line=line, field=_DEEPSPEED)


def _check_use(preset: Preset) -> None:
    """Check that a file sets the arguments that say what it is for, on which the others depend.

    Raises:
        UserError: One is missing, or has a value that is not supported.
    """
    entries = preset.entries
    if not entries.keys() & {"do_train", "export_size"}:
        problem = "expected do_train: true for a training, or export_size for a merge"
        raise UserError(problem, file=preset.file, hint="w2s-factory make-config --list shows ready presets")
    for key in ("finetuning_type", "template", *(("stage",) if preset.trains else ())):
        if key not in entries:
            raise UserError("is missing", file=preset.file, field=key)
    if not preset.trains:
        return
    _check_value(preset, "do_train", [True])
    _check_value(preset, "stage", ["sft", "dpo"])
    if entries["stage"].value == "dpo" and "pref_loss" not in entries:
        raise UserError("is missing; it selects the preference method", file=preset.file, field="pref_loss")
    if "pref_loss" in entries:
        _check_value(preset, "pref_loss", list(BY_LOSS))


def _check_value(preset: Preset, key: str, allowed: list[Any]) -> None:
    """Refuse a value that is not among the allowed ones."""
    entry = preset.entries[key]
    if entry.value not in allowed:
        words = " or ".join("true" if value is True else str(value) for value in allowed)
        problem = f"expected {words}, got {entry.text}"
        raise UserError(problem, file=preset.file, line=entry.line, field=key)
