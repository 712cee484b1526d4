"""Settings in place of a preset's values: a user's `key=value`, checked (`template=empty`); of `--cpu`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.arguments import (
    LEFT_OUT,
    argument_problem,
    check_known,
    known_arguments,
    name_in,
)
from w2s_factory.llamafactory.preference_methods import METHODS
from w2s_factory.llamafactory.presets import Entry, Preset, load_preset, preset_names
from w2s_factory.llamafactory.trackers import NONE, REPORT_TO
from w2s_factory.llamafactory.versions import NEWEST, for_version, newest_name
from w2s_factory.records.yaml_files import dump_yaml, parse_value
from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from w2s_factory.llamafactory.versions import Version

ON_CPU = {"use_cpu": True, "bf16": False}
"""Settings for a machine without a GPU, where LLaMA-Factory refuses bf16; see `on_cpu`."""

_OWN_OPTION = {
    "model_name_or_path": "--model",
    "adapter_name_or_path": "--adapter",
    "dataset": "--dataset",
    "dataset_dir": "--dataset-dir",
    "output_dir": "--output-dir",
    "export_dir": "--output-dir",
}
"""Arguments that make-config takes as options of its own."""

_LOSSES_OF_PRESETS = tuple(method.loss for method in METHODS.values() if not method.reference)
"""Values of `pref_loss` that change more than the loss, so that they need a preset of their own."""

_WORDS = ("yes", "no", "on", "off")
"""Words that YAML 1.1 reads as true and false; here `save_strategy=no` means the word."""

_DECIMAL = re.compile(r"[-+]?\d+")
"""A whole number in decimal notation; YAML 1.1 reads `010` as 8."""

_FINETUNING_TYPES = ("lora", "full", "freeze")


TrainedThinking: TypeAlias = Literal["on", "off"]
"""A choice between training with thinking, and training on answers alone."""

_THINKING: Final = "enable_thinking"

_MEANING: Final[Mapping[TrainedThinking, str]] = {
    "on": "the model learns to think; rows without thinking are trained with an empty one",
    "off": "only answers are trained; thinking in rows is removed, and the prompt ends with an empty one",
}
"""The effect of `enable_thinking` in LLaMA-Factory's templates that treat thinking."""


def with_thinking(preset: Preset, thinking: TrainedThinking | None, version: Version) -> Preset:
    """Return the preset with `enable_thinking` after its template; with a comment if the version lacks it.

    The argument has an effect only in templates of models that think; the others ignore it.

    Args:
        preset: A preset in the names of `version`, settings included.
        thinking: The choice; if None, the preset stays as it is.
        version: The LLaMA-Factory that will read it.

    Raises:
        UserError: The preset does not train, or sets `enable_thinking` to another value.
    """
    if thinking is None:
        return preset
    if not preset.trains:
        raise UserError(f'the preset "{preset.name}" does not train', field="--thinking")
    own = preset.entries.get(_THINKING)
    if own is not None:
        if own.value is not (thinking == "on"):
            raise UserError(f"contradicts {_THINKING}: {own.text}", field="--thinking")
        return preset
    line: str | Entry = f"# {_THINKING} is left out: {LEFT_OUT[_THINKING]}"
    if _THINKING in known_arguments(version):
        line = Entry(_THINKING, as_yaml(thinking == "on"), f"given: {_MEANING[thinking]}")
    after = preset.lines.index(preset.entries["template"]) + 1
    return preset.with_lines([*preset.lines[:after], line, *preset.lines[after:]])


def on_cpu(preset: Preset, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with which a preset trains on a machine without a GPU.

    With `use_cpu`, transformers would leave DeepSpeed aside and then fail over its batch size.

    Args:
        preset: The preset.
        settings: The user's settings, which may add or remove DeepSpeed.
    """
    own = preset.entries.get("deepspeed")
    deepspeed = settings.get("deepspeed", own and own.value)
    return {key: value for key, value in ON_CPU.items() if not (deepspeed and key == "use_cpu")}


def parsed_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Return the settings of a command line, where each is `key=value` with a value in YAML.

    Raises:
        UserError: A setting has no `=`, no key, or is not YAML; or a key is set twice.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UserError(f'expected key=value, got "{text}"', hint="As in: --set num_train_epochs=3")
        if key in settings:
            raise UserError("is set twice", field=key)
        settings[key] = _value(key, value)
    return settings


def with_settings(preset: Preset, settings: Mapping[str, Any], version: Version) -> Preset:
    """Return the preset with the values of settings, and with settings that it lacks at its end.

    Args:
        preset: A preset in the names of `version`.
        settings: Values by argument of `version`.
        version: The LLaMA-Factory that will read it.

    Raises:
        UserError: An argument is not known to the version, cannot be set, or has a value of another type
            than the preset's.
    """
    for key, value in settings.items():
        _check_template(key, value, preset, version)
        _check(key, value, preset)
    check_known(settings, version, training=preset.trains)
    kept: list[str | Entry] = [
        _set(line, settings[line.key]) if isinstance(line, Entry) and line.key in settings else line
        for line in preset.lines
    ]
    added = [
        Entry(key, as_yaml(value), "set") for key, value in settings.items() if key not in preset.entries
    ]
    return preset.with_lines([*kept, *(["", "### more"] if added else []), *added])


def with_trackers_named(preset: Preset) -> Preset:
    """Return the preset with `report_to: none` if it trains and names no tracker (`null` names none, either).

    Without a value, transformers before 5 reports to every tracker that is installed.
    """
    own = preset.entries.get(REPORT_TO)
    if not preset.trains or (own is not None and own.value is not None):
        return preset
    none = Entry(REPORT_TO, NONE, "ours: nothing is sent unless a tracker is named")
    return preset.with_lines([*(line for line in preset.lines if line != own), none])


def check_preset(preset: Preset, version: Version) -> None:
    """Check the arguments of a user's own preset as if each had been set on the command line.

    Args:
        preset: A preset read from a file, in the names of the newest version or earlier ones.
        version: The LLaMA-Factory that will read it.

    Raises:
        UserError: An argument is not known or has a wrong value; with the file and line.
    """
    newest = for_version(NEWEST)
    for entry in preset.entries.values():
        try:
            _check_template(entry.key, entry.value, preset, version)
            check_known([name_in(newest, entry.key, preset) or entry.key], newest, training=preset.trains)
            if entry.key not in ("stage", "pref_loss"):
                _check(entry.key, entry.value, _like(entry.key) or preset)
        except UserError as error:
            raise UserError(
                error.problem,
                file=preset.file,
                line=entry.line,
                field=error.field,
                hint=error.hint,
                topic=error.topic,
            ) from None


def _like(key: str) -> Preset | None:
    """Return a preset of the package that sets an argument, and so shows the type of its value."""
    return next((preset for preset in map(load_preset, preset_names()) if key in preset.entries), None)


def as_yaml(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = _dumped(value)
    return text if len(text.splitlines()) == 1 else _dumped(value, default_style='"')


def _value(key: str, text: str) -> Any:
    """Return the value that a text on the command line means.

    Raises:
        UserError: It is not YAML.
    """
    if _DECIMAL.fullmatch(text):
        return int(text)
    if text.lower() in _WORDS:
        return text
    try:
        value = parse_value(text)
    except ValueError as error:
        raise UserError(f'"{shortened(text)}" is not YAML ({error})', field=key) from None
    return text.strip() if _means_text(text.strip(), value) else value


def _means_text(text: str, value: Any) -> bool:
    """Return whether YAML read structure into plain text: `a: b`, `- a`, `12:30`, or a comment in `a #1`."""
    if isinstance(value, dict | list):
        return not text.startswith(("{", "["))
    if isinstance(value, str):
        return value != "" and text.startswith(value)
    return isinstance(value, int | float) and ":" in text


def _check(key: str, value: Any, preset: Preset) -> None:
    """Refuse an argument that cannot be set, or a value that it cannot have."""
    if key in _OWN_OPTION:
        raise UserError("has an option of its own", field=key, hint=f"Use {_OWN_OPTION[key]}")
    if key == "stage" or (newest_name(key) == "pref_loss" and value in _LOSSES_OF_PRESETS):
        raise UserError("is decided by the preset", field=key, hint="Choose another preset (--list)")
    if key == "finetuning_type" and value not in _FINETUNING_TYPES:
        raise UserError(f"expected {', '.join(_FINETUNING_TYPES)}, got {as_yaml(value)}", field=key)
    problem = argument_problem(key, value)
    if problem is not None:
        raise UserError(problem, field=key)
    if key in preset.entries and key != REPORT_TO:  # that takes text or a list, and is checked above
        _check_kind(key, value, preset.entries[key].value)


def _check_template(key: str, value: Any, preset: Preset, version: Version) -> None:
    """Refuse a template with which the model would not learn to end its responses."""
    if key != "template":
        return
    if not isinstance(value, str) or not value:
        raise UserError(
            "must name a template; without one, the model does not learn to end its responses", field=key
        )
    if value == "empty" and preset.trains and not version.empty_ends:
        raise UserError(
            f"LLaMA-Factory {version.number} does not train EOS with the template empty, "
            "so the model would not learn to end its responses",
            field=key,
            hint="Use vanilla: prompt, response, EOS",
            topic="template-without-eos",
        )


def _check_kind(key: str, value: Any, usual: Any) -> None:
    """Refuse a value of another type than the usual one has; a whole number also serves as a float."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(usual, bool):
        if not isinstance(value, bool):
            raise UserError(f"expected true or false, got {as_yaml(value)}", field=key)
    elif isinstance(usual, int | float) and not (is_number and math.isfinite(value)):
        raise UserError(f"expected a number, got {as_yaml(value)}", field=key)
    elif isinstance(usual, int) and not isinstance(value, int):
        raise UserError(f"expected a whole number, got {as_yaml(value)}", field=key)
    elif isinstance(usual, str) and not (isinstance(value, str) and value):
        raise UserError(f"expected text, got {as_yaml(value)}", field=key)


def _set(entry: Entry, value: Any) -> Entry:
    """Return an entry with another value, and a comment that names the preset's own."""
    basis = re.split("[:;]", entry.comment)[0]
    return Entry(entry.key, as_yaml(value), f"set; the preset has {entry.text} ({basis})")


def _dumped(value: Any, default_style: str | None = None) -> str:
    """Return a value as YAML in flow style, without the end-of-document marker."""
    text = dump_yaml(value, on_one_line=True, style=default_style)
    return text.removesuffix("...\n").strip()
