"""A training in an experiment file: a preset, the arguments that differ from it, and their validation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.arguments import argument_problem
from w2s_factory.llamafactory.presets import is_file, load_preset
from w2s_factory.llamafactory.trackers import NONE, REPORT_TO, RUN_NAME, trackers_problem
from w2s_factory.llamafactory.trained_weights import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def refuse(problems: Mapping[tuple[str | int, ...], str | None]) -> None:
    """Raise pydantic's error for the problems found inside a value, if there are any.

    Args:
        problems: Messages by the keys and positions that lead from the value to the problem; None where
            there is no problem.

    Raises:
        ValidationError: There is at least one problem.
    """
    details = [
        InitErrorDetails(
            type=PydanticCustomError("mistake", "{problem}", {"problem": problem}), loc=place, input=None
        )
        for place, problem in problems.items()
        if problem is not None
    ]
    if details:
        raise ValidationError.from_exception_data("a value", details)


T = TypeVar("T")

STEPS = {
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "num_train_epochs": 3.0,
    "max_steps": -1,
}
"""The arguments that decide, with the number of rows, how many steps a training takes.

Each has its default in transformers' `TrainingArguments`.
"""


ROWS = {"max_samples": None, "val_size": 0.0, "packing": False, "neat_packing": False}
"""The arguments that decide on how many of its rows a training trains, with LLaMA-Factory's defaults.

Packing puts several rows of supervised fine-tuning into one; pairs are never packed.
"""


def found(look_up: Callable[[str], T], name: str) -> T:
    """Return the object of a name; an unknown name is reported by pydantic, which knows its place.

    Raises:
        ValueError: The name is unknown.
    """
    try:
        return look_up(name)
    except UserError as error:
        if error.file is not None:
            raise ValueError(str(error)) from None
        raise ValueError(f"{error.problem}. {error.hint}" if error.hint else error.problem) from None


def _preset_name(name: str, info: ValidationInfo) -> str:
    """Return a preset's name, or the absolute path of a preset file (relative to the experiment file)."""
    if is_file(name) and info.context:
        name = os.path.normpath(info.context["folder"] / Path(name).expanduser())
    return found(load_preset, name).name


PresetName: TypeAlias = Annotated[str, AfterValidator(_preset_name)]


def _arguments(overrides: dict[str, Any]) -> dict[str, Any]:
    refuse({(key,): argument_problem(key, value) for key, value in overrides.items()})
    return overrides


Overrides: TypeAlias = Annotated[dict[str, Any], AfterValidator(_arguments)]
"""Values by training argument; known numbers must be in their ranges."""


def _listed_trackers(value: Any) -> Any:
    """Return the trackers that `report_to` names as a list, which is empty for `none`."""
    refuse({(): trackers_problem(value)})
    names = value if isinstance(value, list) else [value]
    return None if value is None else [name for name in dict.fromkeys(names) if name != NONE]


Trackers: TypeAlias = Annotated[list[str] | None, BeforeValidator(_listed_trackers)]
"""The trackers of trainings: one, or a list of them; empty for `none`."""


def _as_argument(names: Sequence[str]) -> str | list[str]:
    """Return trackers as the training argument has them: one alone, several as a list."""
    return list(names) if len(names) > 1 else next(iter(names), NONE)


class TrainingSection(BaseModel):
    """A preset and the training arguments that differ from it.

    Attributes:
        preset: A preset of `llama_factory_configs/`, or the path of a YAML file of that form.
        overrides: Values by argument.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: PresetName = "weak_full_sft"
    overrides: Overrides = {}

    def value(self, argument: str) -> Any:
        """Return the value an argument will have; None if it is left to LLaMA-Factory."""
        entry = load_preset(self.preset).entries.get(argument)
        return self.overrides.get(argument, None if entry is None else entry.value)

    @property
    def values(self) -> dict[str, Any]:
        """Return the values of the preset and the overrides together."""
        entries = load_preset(self.preset).entries
        return {key: entry.value for key, entry in entries.items()} | self.overrides

    def reports_to(self, trackers: Sequence[str] | None) -> Any:
        """Return the value that `report_to` will have: its own override, the experiment's, or the preset's.

        Args:
            trackers: The experiment's trackers; None if it names none.
        """
        if trackers is None or REPORT_TO in self.overrides:
            return self.value(REPORT_TO)
        return _as_argument(trackers)

    def tracking(self, trackers: Sequence[str] | None, step: str) -> dict[str, Any]:
        """Return the arguments, in addition to the overrides, by which it reports under the name of its step.

        Args:
            trackers: The experiment's trackers; None leaves them to the training.
            step: The step's name, which replaces a preset's `run_name` where the experiment names trackers.
        """
        added: dict[str, Any] = {} if trackers is None else {REPORT_TO: _as_argument(trackers)}
        named = not trackers and self.value(RUN_NAME) is not None
        if self.reports_to(trackers) not in (None, NONE, [NONE], []) and not named:
            added[RUN_NAME] = step
        return {key: value for key, value in added.items() if key not in self.overrides}

    @property
    def files(self) -> list[str]:
        """Return the preset's file if it is the user's own; an empty list for one of the package."""
        return [self.preset] if is_file(self.preset) else []

    @property
    def makes(self) -> Kind:
        """Return whether the training writes an `adapter` or a whole `model`."""
        return kind_of(self.value("finetuning_type"))

    @property
    def steps(self) -> dict[str, Any]:
        """Return the arguments that decide its number of steps, so that another training can take as many."""
        set_here = {argument: self.value(argument) for argument in STEPS}
        return {argument: STEPS[argument] if value is None else value for argument, value in set_here.items()}

    def rows_as(self, preference: TrainingSection) -> dict[str, Any]:
        """Return the arguments to change so that as many rows are trained on as by a preference training.

        It is empty where none differs.
        """
        wanted = {
            argument: default if "packing" in argument else preference.value(argument) or default
            for argument, default in ROWS.items()
        }
        return {
            argument: value
            for argument, value in wanted.items()
            if (self.value(argument) or ROWS[argument]) != value
        }
