"""The sections of an experiment file that say which models there are, and what they are asked."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self, TypeAlias, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from w2s_factory.experiment.mistakes import at
from w2s_factory.experiment.training import Overrides, PresetName, Training
from w2s_factory.generating.demonstrations import PUBLISHED_COUNT, PUBLISHED_SEED
from w2s_factory.quantities import DemonstrationCount, QuestionCount, SampledTemperature, Samples
from w2s_factory.ranges import Seed, is_number, problem

_NAME = re.compile(r"\w[\w.-]*")


def _names_files(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            "must be made of letters, digits, and the signs _ . -, with neither . nor - in front"
        )
    return name


Name: TypeAlias = Annotated[str, AfterValidator(_names_files)]
"""What names of files, folders, and datasets are made of."""


class Section(BaseModel):
    """A part of the file, whose keys are all known, and whose numbers are in their declared ranges."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _in_range(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse a number in the words every other place uses; pydantic alone would take true for 1."""
        field = cls.model_fields[str(info.field_name)]
        if get_origin(field.annotation) is list:
            alias = get_args(field.annotation)[0]
            places = {(number,): one for number, one in enumerate(value if isinstance(value, list) else ())}
        else:
            alias = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            places = {(): value}  # type: ignore[dict-item]  # no key or position leads to it
        if is_number(alias):
            at({place: problem(one, alias) for place, one in places.items()})
        return value


def off(value: Any) -> Any:
    """`false` switches an optional section off; the bare key takes all its defaults."""
    return None if value is False else {} if value is None else value


class Weak(Section):
    """The weak model: trained here, ready, or known by its published results.

    Attributes:
        name: In the names of files and datasets (`llama2_7b`).
        model: A folder or hub name: what is trained, or answers as it is.
        adapter: An adapter on it, which is not trained further.
        train: How it is fine-tuned on gold `train_1`; None leaves it as it is.
        results: Its results on `train_2`, where they are there already.
        test_results: Its results on the split the models are compared on, likewise.
    """

    name: Name
    model: str | None = None
    adapter: str | None = None
    train: Training | None = None
    results: str | None = None
    test_results: str | None = None

    @model_validator(mode="after")
    def _answers(self) -> Self:
        if self.model is None and self.results is None:
            raise ValueError("needs a model, or results to take its place")
        if self.model is None and (self.adapter or self.train):
            raise ValueError("has an adapter or a training, and no model for it")
        if self.adapter and self.train:
            raise ValueError("has an adapter, so it is trained already: leave out train")
        return self


class Strong(Section):
    """The strong model, which never sees gold (but for its ceiling).

    Attributes:
        name: In the names of folders (`llama2_70b`).
        model: A folder or hub name.
        preset: How it is fine-tuned; the task's preset if None.
        overrides: Training arguments that differ from the preset.
    """

    name: Name
    model: str
    preset: PresetName | None = None
    overrides: Overrides = {}


class Demonstrations(Section):
    """What weak ICL is shown: rows of the weak model's own results, drawn or named by `ids`."""

    count: DemonstrationCount = PUBLISHED_COUNT
    seed: Seed = PUBLISHED_SEED
    ids: list[int | str] | None = None
    exclude_demos: bool = False
    correct_only: bool = False

    @field_validator("ids")
    @classmethod
    def _different(cls, ids: list[int | str] | None) -> list[int | str] | None:
        names = [str(name) for name in ids or ()]
        at({(n,): f"expected different ids, got {name} again" if name in names[:n] else None
            for n, name in enumerate(names)})  # fmt: skip
        return ids


class PassAt(Section):
    """Sampled answers to the split, for pass@k; `models` are keys of the report, all if None."""

    k: Samples = 10
    temperature: SampledTemperature = 1.0
    models: list[str] | None = None


class Evaluation(Section):
    """How models are compared, beside greedily."""

    pass_at: Annotated[PassAt | None, BeforeValidator(off)] = None


class Limit(Section):
    """Ask only the first questions of a split; None asks all."""

    train_2: QuestionCount | None = None
    split: QuestionCount | None = None
