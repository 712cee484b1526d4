"""LLaMA-Factory's arguments: which each version knows and by which name, and the range of each number."""

from __future__ import annotations

import difflib
import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from annotated_types import Ge, Gt, Le, Lt

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.presets import Entry, Preset
from w2s_factory.llamafactory.versions import FAMILIES, RELEASES
from w2s_factory.ranges import Seed, problem
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from w2s_factory.llamafactory.versions import Version

Count: TypeAlias = Annotated[int, Ge(1), Le(1_000_000_000)]
"""Rows, steps, processes: at least one."""

BatchSize: TypeAlias = Annotated[int, Ge(1), Le(1_000_000)]
"""Rows trained on together."""

Positive: TypeAlias = Annotated[float, Gt(0), Le(1_000_000)]
"""A weight or a number of epochs that is nothing at 0."""

Weight: TypeAlias = Annotated[float, Ge(0), Le(1_000_000)]
"""A weight of something that 0 switches off."""

LearningRate: TypeAlias = Annotated[float, Gt(0), Le(10)]
"""A step along the gradient; above 10 nothing is learned."""

Part: TypeAlias = Annotated[float, Ge(0), Le(1)]
"""A share of something, all of it included."""

ProperPart: TypeAlias = Annotated[float, Ge(0), Lt(1)]
"""A share of something, but not all of it."""

NUMBERS: Final[Mapping[str, Any]] = {
    # how long, and in which portions
    "num_train_epochs": Positive,
    "max_steps": Literal[-1] | Count,  # -1: as many as the epochs give
    "per_device_train_batch_size": BatchSize,
    "per_device_eval_batch_size": BatchSize,
    "gradient_accumulation_steps": BatchSize,
    # the optimiser
    "learning_rate": LearningRate,
    "weight_decay": Weight,
    "warmup_ratio": Part,
    "warmup_steps": Annotated[float, Ge(0), Le(1_000_000_000)],  # below 1: a share of all steps
    "max_grad_norm": Weight,  # 0: gradients are not cut
    "adam_beta1": ProperPart,
    "adam_beta2": ProperPart,
    "adam_epsilon": Annotated[float, Gt(0), Le(1)],
    "label_smoothing_factor": ProperPart,
    "neftune_noise_alpha": Weight | None,
    # what is trained
    "lora_rank": Annotated[int, Ge(1), Le(65_536)],
    "lora_alpha": Count | None,
    "lora_dropout": ProperPart,
    "loraplus_lr_ratio": Positive | None,
    # preferences; the names of older versions too
    "pref_beta": Positive,
    "dpo_beta": Positive,
    "orpo_beta": Positive,
    "pref_ftx": Weight,
    "dpo_ftx": Weight,
    "simpo_gamma": Weight,
    "dpo_label_smoothing": Annotated[float, Ge(0), Le(0.5)],
    # the data
    "cutoff_len": Annotated[int, Ge(1), Le(10_000_000)],
    "max_samples": Count | None,
    "val_size": Annotated[float, Ge(0), Le(1_000_000_000)],  # below 1: a share of all rows
    "preprocessing_num_workers": Annotated[int, Ge(1), Le(1_024)] | None,
    "dataloader_num_workers": Annotated[int, Ge(0), Le(1_024)],
    # what is written, and when
    "logging_steps": Annotated[float, Gt(0), Le(1_000_000_000)],  # below 1: a share of all steps
    "save_steps": Annotated[float, Gt(0), Le(1_000_000_000)],
    "eval_steps": Annotated[float, Gt(0), Le(1_000_000_000)] | None,
    "save_total_limit": Annotated[int, Ge(0), Le(1_000_000_000)] | None,
    "export_size": Count,
    # the rest
    "seed": Seed,
    "data_seed": Seed | None,
    "ray_num_workers": Annotated[int, Ge(1), Le(10_000)],
}
"""The declared number by argument."""


def argument_problem(argument: str, value: Any) -> str | None:
    """Return what is wrong with an argument's value; None if nothing is, or it is not listed here."""
    return problem(value, NUMBERS[argument]) if argument in NUMBERS else None


TABLE = Path(__file__).with_name("arguments.json")
"""Two tables, made by scripts/llamafactory_arguments.py. Each name has the first and last release that
knows it, for each stretch of releases. `always`: what training and export take; `training`: training only.
"""


def known_arguments(version: Version, *, training: bool = True) -> frozenset[str]:
    """The arguments that can stand in a YAML for training, or else for export.

    The training arguments come from transformers, and count if the oldest or the newest transformers
    that fits the version has them.
    """
    return _known(version.number, training)


def check_known(names: Iterable[str], version: Version, *, training: bool = True) -> None:
    """Refuse arguments the version does not know.

    Raises:
        UserError: One is not known; names the nearest one that is, if any is near.
    """
    known = known_arguments(version, training=training)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1)
            hint = f'Did you mean "{near[0]}"?' if near else None
            use = "" if training else " for export"
            raise UserError(
                f"LLaMA-Factory {version.number} knows no such argument{use}", field=name, hint=hint
            )


@functools.cache
def _known(release: str, training: bool) -> frozenset[str]:
    table = read_object(TABLE)
    spans = table["always"] | (table["training"] if training else {})
    place = RELEASES.index
    return frozenset(
        name
        for name, stretches in spans.items()
        if any(place(first) <= place(release) <= place(last) for first, last in stretches)
    )


LEFT_OUT = {"trust_remote_code": "that version always runs the code of a model's repository"}
"""Arguments that versions may lack, and what it means there."""

_PREFERENCE = ("pref_loss", "pref_beta", "pref_ftx")


def translated(preset: Preset, version: Version) -> Preset:
    """The preset in the version's names, with a comment in the place of what the version lacks.

    Raises:
        UserError: The version lacks the preset's method, or an argument it cannot do without.
    """
    names = _names(preset, version)
    known = known_arguments(version, training=preset.trains)
    lines: list[str | Entry] = []
    for line in preset.lines:
        if not isinstance(line, Entry):
            lines.append(line)
        elif line.key == "stage" and preset.method and "pref_loss" not in names:
            lines.append(replace(line, text=preset.method))
        elif line.key in _PREFERENCE:
            lines += [replace(line, key=names[line.key])] if line.key in names else []
        else:
            lines.append(_as_known(line, known, preset, version))
    return preset.with_lines(lines)


def renamed(settings: Mapping[str, object], preset: Preset, version: Version) -> dict[str, object]:
    """Settings with the names any version has for the method's arguments, in this version's names."""
    names = _names(preset, version)
    newest = {old: new for family in FAMILIES for new, old in _arguments(preset, family).items()}
    return {names.get(newest.get(key, key), key): value for key, value in settings.items()}


def _arguments(preset: Preset, version: Version) -> Mapping[str, str]:
    return version.methods.get(preset.method or "", {})


def _names(preset: Preset, version: Version) -> Mapping[str, str]:
    method = preset.method
    if method is None:
        return {}
    if method not in version.methods:
        first = next(family.releases[0] for family in FAMILIES if method in family.methods)
        raise UserError(
            f'LLaMA-Factory {version.number} has no method "{method}", which came with {first}',
            hint=f"Methods of {version.number}: {', '.join(version.methods)}",
        )
    return version.methods[method]


def _as_known(entry: Entry, known: frozenset[str], preset: Preset, version: Version) -> str | Entry:
    if entry.key in known:
        return entry
    if entry.key in LEFT_OUT:
        return f"# {entry.key} is left out: {LEFT_OUT[entry.key]}"
    raise UserError(
        f'preset "{preset.name}" needs an argument that LLaMA-Factory {version.number} lacks', field=entry.key
    )
