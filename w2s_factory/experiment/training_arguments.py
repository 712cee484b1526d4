"""Training as an experiment file describes it: a preset, and the arguments that differ from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.arguments import argument_problem
from w2s_factory.llamafactory.presets import is_file, load_preset
from w2s_factory.llamafactory.trained_weights import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def at(problems: Mapping[tuple[str | int, ...], str | None]) -> None:
    """Refuse a value for what is wrong inside it.

    Args:
        problems: What is wrong in words, by the keys and positions that lead there from the value; None
            where nothing is.

    Raises:
        ValidationError: Something is wrong.
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
"""The arguments that decide, with the number of rows, how many steps a training takes, with the values they
have where nobody sets them (transformers' `TrainingArguments`)."""


def found(look_up: Callable[[str], T], name: str) -> T:
    """What stands under a name, so that pydantic learns where one is that nothing stands under.

    Raises:
        ValueError: Nothing does.
    """
    try:
        return look_up(name)
    except UserError as error:
        if error.file is not None:
            raise ValueError(str(error)) from None
        raise ValueError(f"{error.problem}. {error.hint}" if error.hint else error.problem) from None


def _preset_name(name: str, info: ValidationInfo) -> str:
    """Return a preset's name, or the absolute path of a file, which is relative to the experiment's."""
    if is_file(name) and info.context:
        name = os.path.normpath(info.context["folder"] / Path(name).expanduser())
    return found(load_preset, name).name


PresetName: TypeAlias = Annotated[str, AfterValidator(_preset_name)]


def _arguments(overrides: dict[str, Any]) -> dict[str, Any]:
    at({(key,): argument_problem(key, value) for key, value in overrides.items()})
    return overrides


Overrides: TypeAlias = Annotated[dict[str, Any], AfterValidator(_arguments)]
"""Values by training argument, those of known numbers in their ranges."""


class TrainingSection(BaseModel):
    """A preset and the arguments that differ from it.

    Attributes:
        preset: One of `llama_factory_configs/`, or the path of a YAML file of that form.
        overrides: Values by argument.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: PresetName = "weak_full_sft"
    overrides: Overrides = {}

    def value(self, argument: str) -> Any:
        """What an argument will be; None if it is left to LLaMA-Factory."""
        entry = load_preset(self.preset).entries.get(argument)
        return self.overrides.get(argument, None if entry is None else entry.value)

    @property
    def files(self) -> list[str]:
        """The user's own file that the preset is; none for one that comes with the package."""
        return [self.preset] if is_file(self.preset) else []

    @property
    def makes(self) -> Kind:
        """Whether it leaves an `adapter` or a whole `model`."""
        return kind_of(self.value("finetuning_type"))

    @property
    def steps(self) -> dict[str, Any]:
        """All arguments that decide its number of steps, so that it can be given to another training."""
        set_here = {argument: self.value(argument) for argument in STEPS}
        return {argument: STEPS[argument] if value is None else value for argument, value in set_here.items()}
