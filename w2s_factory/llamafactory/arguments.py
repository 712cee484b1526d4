"""LLaMA-Factory's arguments: which version knows which, by which name, and the range of each number."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from annotated_types import Ge, Gt, Le, Lt

from w2s_factory.errors import UserError, did_you_mean
from w2s_factory.llamafactory.preference_methods import METHODS
from w2s_factory.llamafactory.presets import Entry, Preset
from w2s_factory.llamafactory.trackers import REPORT_TO, trackers_problem
from w2s_factory.llamafactory.versions import RELEASES, RENAMES, newest_name
from w2s_factory.ranges import Seed, problem
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from w2s_factory.llamafactory.versions import Version

Count: TypeAlias = Annotated[int, Ge(1), Le(1_000_000_000)]
"""A number of rows, steps or processes: at least one."""

BatchSize: TypeAlias = Annotated[int, Ge(1), Le(1_000_000)]
"""The number of rows in a batch."""

Positive: TypeAlias = Annotated[float, Gt(0), Le(1_000_000)]
"""A weight or a number of epochs that makes no sense at 0."""

Weight: TypeAlias = Annotated[float, Ge(0), Le(1_000_000)]
"""A weight or limit that 0 switches off."""

LearningRate: TypeAlias = Annotated[float, Gt(0), Le(10)]
"""A learning rate; above 10 nothing is learned."""

Part: TypeAlias = Annotated[float, Ge(0), Le(1)]
"""A fraction from 0 to 1, both included."""

ProperPart: TypeAlias = Annotated[float, Ge(0), Lt(1)]
"""A fraction from 0 to 1, 1 excluded."""

NUMBERS: Final[Mapping[str, Any]] = {
    # duration and batch size
    "num_train_epochs": Positive,
    "max_steps": Literal[-1] | Count,  # -1: num_train_epochs decides
    "per_device_train_batch_size": BatchSize,
    "per_device_eval_batch_size": BatchSize,
    "gradient_accumulation_steps": BatchSize,
    # the optimiser
    "learning_rate": LearningRate,
    "weight_decay": Weight,
    "warmup_ratio": Part,
    "warmup_steps": Annotated[float, Ge(0), Le(1_000_000_000)],  # below 1: a fraction of all steps
    "max_grad_norm": Weight,  # 0: gradients are not clipped
    "adam_beta1": ProperPart,
    "adam_beta2": ProperPart,
    "adam_epsilon": Annotated[float, Gt(0), Le(1)],
    "label_smoothing_factor": ProperPart,
    "neftune_noise_alpha": Weight | None,
    # LoRA
    "lora_rank": Annotated[int, Ge(1), Le(65_536)],
    "lora_alpha": Count | None,
    "lora_dropout": ProperPart,
    "loraplus_lr_ratio": Positive | None,
    # quantisation of the base while it is loaded
    "quantization_bit": Annotated[int, Ge(1), Le(8)] | None,  # 1 to 8 by HQQ, 4 or 8 by bitsandbytes
    # preference training
    "pref_beta": Positive,
    "pref_ftx": Weight,
    "simpo_gamma": Weight,
    "dpo_label_smoothing": Annotated[float, Ge(0), Le(0.5)],
    # the data
    "cutoff_len": Annotated[int, Ge(1), Le(10_000_000)],
    "max_samples": Count | None,
    "val_size": Annotated[float, Ge(0), Le(1_000_000_000)],  # below 1: a fraction of all rows
    "preprocessing_num_workers": Annotated[int, Ge(1), Le(1_024)] | None,
    "dataloader_num_workers": Annotated[int, Ge(0), Le(1_024)],
    # logs, checkpoints and exports
    "logging_steps": Annotated[float, Gt(0), Le(1_000_000_000)],  # below 1: a fraction of all steps
    "save_steps": Annotated[float, Gt(0), Le(1_000_000_000)],
    "eval_steps": Annotated[float, Gt(0), Le(1_000_000_000)] | None,
    "save_total_limit": Annotated[int, Ge(0), Le(1_000_000_000)] | None,
    "export_size": Count,
    # the rest
    "seed": Seed,
    "data_seed": Seed | None,
    "ray_num_workers": Annotated[int, Ge(1), Le(10_000)],
}
"""The type and range of each argument that is a number; in the names of one release, whichever."""


def argument_problem(argument: str, value: Any) -> str | None:
    """Return the problem with the value of a number or of `report_to`; None if there is none.

    Arguments that are not in `NUMBERS` are not checked.

    Args:
        argument: The argument, by the name that it has in any release.
        value: Its value.
    """
    if argument == REPORT_TO:
        return trackers_problem(value)
    newest = newest_name(argument)
    declared = next((NUMBERS[name] for name in NUMBERS if newest_name(name) == newest), None)
    return None if declared is None else problem(value, declared)


TABLE: Final = Path(__file__).with_name("arguments.json")
"""Two tables, made by scripts/llamafactory_arguments.py. Each name has the first and the last release that
knows it, for each stretch of releases. `always`: arguments of training and export; `training`: arguments of
training only.
"""


def known_arguments(version: Version, *, training: bool = True) -> frozenset[str]:
    """Return the arguments that a YAML for training, or else for export, may contain.

    The training arguments come from transformers, and count if the oldest or the newest transformers
    that fits the version has them.
    """
    return _known(version.number, training)


def check_known(names: Iterable[str], version: Version, *, training: bool = True) -> None:
    """Refuse arguments that the version does not know.

    Raises:
        UserError: An argument is not known; the hint is the nearest known name, if any is near.
    """
    known = known_arguments(version, training=training)
    for name in names:
        if name not in known:
            use = "" if training else " for export"
            raise UserError(
                f"LLaMA-Factory {version.number} has no such argument{use}",
                field=name,
                hint=did_you_mean(name, sorted(known)) or None,
            )


@functools.cache
def _known(release: str, training: bool) -> frozenset[str]:
    """Return the arguments that a release knows."""
    table = read_object(TABLE)
    spans = table["always"] | (table["training"] if training else {})
    place = RELEASES.index
    return frozenset(
        name
        for name, stretches in spans.items()
        if any(place(first) <= place(release) <= place(last) for first, last in stretches)
    )


LEFT_OUT: Final = {
    "trust_remote_code": "that version always runs the code of a model's repository",
    "packing": "that version has another name for it, and packs no rows by default",
    "enable_thinking": "that version has no templates that treat thinking",
}
"""Arguments that a preset can do without where a version lacks them, with the effect that this has."""


def name_in(version: Version, argument: str, preset: Preset) -> str | None:
    """Return the name that an argument has in a version; None if the version lacks it.

    Args:
        version: The version.
        argument: The argument, by its newest or an earlier name.
        preset: The preset it is for, since some earlier names are for one preference method only.
    """
    stage = METHODS[preset.method].early_stage if preset.method else None
    renames = [rename for rename in RENAMES if rename.stage in (None, stage)]
    newest = next((rename.newest for rename in renames if rename.earlier == argument), argument)
    names = (newest, *(rename.earlier for rename in renames if rename.newest == newest))
    known = known_arguments(version, training=preset.trains)
    return next((name for name in names if name in known), None)


def translated(preset: Preset, version: Version) -> Preset:
    """Return a preset in a version's names, with a comment in place of each argument that the version lacks.

    Raises:
        UserError: The version lacks the preset's method, or an argument that it cannot do without.
    """
    _check_method(preset, version)
    lines: list[str | Entry] = []
    for line in preset.lines:
        if not isinstance(line, Entry):
            lines.append(line)
        elif line.key == "stage" and preset.method and name_in(version, "pref_loss", preset) is None:
            lines.append(replace(line, text=METHODS[preset.method].early_stage or line.text))
        else:
            lines += _translated_entry(line, preset, version)
    return preset.with_lines(lines)


def renamed(settings: Mapping[str, object], preset: Preset, version: Version) -> dict[str, object]:
    """Return settings under this version's names, given under the names of any version."""
    return {name_in(version, key, preset) or key: value for key, value in settings.items()}


def _check_method(preset: Preset, version: Version) -> None:
    """Refuse a preset whose preference method the version lacks."""
    if preset.method and preset.method not in version.methods:
        raise UserError(
            f'LLaMA-Factory {version.number} has no method "{preset.method}", '
            f"which came with {METHODS[preset.method].since}",
            hint=f"Methods of {version.number}: {', '.join(version.methods)}",
        )


def _translated_entry(entry: Entry, preset: Preset, version: Version) -> list[str | Entry]:
    """Return the lines for one entry; none for an argument that the method's own early stage makes needless.

    Raises:
        UserError: The version lacks the argument, and the preset cannot do without it.
    """
    name = name_in(version, entry.key, preset)
    if name is not None:
        return [replace(entry, key=name)]
    if any(rename.newest == entry.key and rename.stage for rename in RENAMES):
        return []
    if entry.key in LEFT_OUT:
        return [f"# {entry.key} is left out: {LEFT_OUT[entry.key]}"]
    raise UserError(
        f'preset "{preset.name}" needs an argument that LLaMA-Factory {version.number} lacks', field=entry.key
    )
