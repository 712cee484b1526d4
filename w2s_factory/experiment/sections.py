"""The sections of an experiment file that say which models there are, and what they are asked."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from w2s_factory.experiment.training import PresetName, Training

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
    """A part of the file, whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    overrides: dict[str, Any] = {}


class Demonstrations(Section):
    """What weak ICL is shown: rows of the weak model's own results, drawn or named by `ids`."""

    count: int = Field(default=4, ge=1)
    seed: int = 42
    ids: list[int | str] | None = None
    exclude_demos: bool = False
    correct_only: bool = False


class PassAt(Section):
    """Sampled answers to the split, for pass@k; `models` are keys of the report, all if None."""

    k: int = Field(default=10, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    models: list[str] | None = None


class Evaluation(Section):
    """How models are compared, beside greedily."""

    pass_at: Annotated[PassAt | None, BeforeValidator(off)] = None


class Limit(Section):
    """Ask only the first questions of a split; None asks all."""

    train_2: int | None = Field(default=None, ge=1)
    split: int | None = Field(default=None, ge=1)
