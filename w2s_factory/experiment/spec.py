"""An experiment as its file describes it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BeforeValidator, ValidationInfo, field_validator, model_validator

from w2s_factory.experiment.machines import Environments, Generation, LlamaFactory, Resources
from w2s_factory.experiment.methods import Stage2
from w2s_factory.experiment.sections import (
    Demonstrations,
    Evaluation,
    Limit,
    Name,
    Section,
    Strong,
    Weak,
    off,
)
from w2s_factory.experiment.training import Training, found
from w2s_factory.quantities import Iteration
from w2s_factory.tasks import Task, get_task

Baseline: TypeAlias = Literal["weak_floor", "strong_zero_shot", "full_weak", "weak_icl", "strong_ceiling"]
Side: TypeAlias = Literal["weak", "icl", "hybrid"]

Repetition: TypeAlias = Annotated[int, Ge(0), Le(100_000)]
"""The number a repetition adds to every published seed; its samples' seeds stay within 32 bits."""

EVERY_BASELINE: Final[list[Baseline]] = [
    "weak_floor", "strong_zero_shot", "full_weak", "weak_icl", "strong_ceiling"
]  # fmt: skip


class Experiment(Section):
    """The whole file.

    Attributes:
        name: The experiment's; also of its folder.
        task: The task.
        split: What the models are compared on.
        release: The published release's root, below which the files of its tasks lie.
        iterations: Of Stage I.
        last_iteration: The sets of the last iteration that are trained on (the others only lead to the
            next); the hybrid one always is, for it makes M_plus.
        baselines: What the models are held against.
        seeds: The whole pipeline is repeated for each; n is added to every published seed.
        presets: Named changes to the above, for `--preset`.
        notes: What a reader of the report must know, in sentences.
    """

    name: Name
    task: str
    split: str = "test"
    release: str | None = None
    weak: Weak
    strong: Strong
    iterations: Iteration = 2
    last_iteration: list[Side] = ["weak", "icl", "hybrid"]
    baselines: list[Baseline] = EVERY_BASELINE
    stage2: Annotated[Stage2 | None, BeforeValidator(off)] = None
    evaluation: Evaluation = Evaluation()
    generation: Generation = Generation()
    demonstrations: Demonstrations = Demonstrations()
    limit: Limit = Limit()
    llamafactory: LlamaFactory = LlamaFactory()
    environments: Environments = Environments()
    resources: Resources = Resources()
    seeds: Annotated[list[Repetition], MinLen(1), MaxLen(100)] = [0]
    presets: dict[str, dict[str, Any]] = {}
    notes: list[str] = []

    @field_validator("task")
    @classmethod
    def _is_known(cls, task: str) -> str:
        return found(get_task, task).name

    @field_validator("split")
    @classmethod
    def _is_of_the_task(cls, split: str, info: ValidationInfo) -> str:
        if "task" in info.data:  # or else that is the mistake
            found(get_task(info.data["task"]).split, split)
            if split in ("train_1", "train_2"):
                raise ValueError(f"models are not compared on {split}, which they are trained on")
        return split

    @field_validator("last_iteration")
    @classmethod
    def _makes_m_plus(cls, sides: list[Side]) -> list[Side]:
        if "hybrid" not in sides:
            raise ValueError("must name hybrid, which makes M_plus")
        return sides

    @field_validator("seeds")
    @classmethod
    def _once(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("names a seed twice")
        return seeds

    @property
    def the_task(self) -> Task:
        """The task, found by its name."""
        return get_task(self.task)

    @property
    def strong_training(self) -> Training:
        """How the strong model is fine-tuned."""
        return Training(
            preset=self.strong.preset or self.the_task.strong_preset, overrides=self.strong.overrides
        )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.environments.train and not self.llamafactory.version:
            raise ValueError(
                "environments: with `train`, llamafactory.version must say what is installed there"
            )
        if not self.the_task.teaches_gold:
            self._needs_no_gold()
        self._needs_splits()
        for limit, results in (("train_2", "results"), ("split", "test_results")):
            if getattr(self.limit, limit) and getattr(self.weak, results):
                raise ValueError(
                    f"limit: {limit} cannot be limited where weak.{results} stand for the weak model"
                )
        return self

    def _needs_splits(self) -> None:
        trains_on_gold = self.weak.train is not None or "strong_ceiling" in self.baselines
        for split in [*(["train_1"] if trains_on_gold else []), "train_2", self.split]:
            if split not in self.the_task.splits:
                raise ValueError(
                    f'task: task {self.task} has no split "{split}", which this experiment needs: '
                    "give the task its splits (see docs/tasks.md)"
                )

    def _needs_no_gold(self) -> None:
        if self.weak.train:
            raise ValueError(f"weak: task {self.task} has no gold solutions to train it on: leave out train")
        if "strong_ceiling" in self.baselines:
            raise ValueError(
                f"baselines: without gold solutions task {self.task} has no strong_ceiling: leave it out"
            )
