"""The experiment file as pydantic models: the models and stages, and `Experiment` for the whole.

How models answer is in `answer_settings`, Stage II in `stage2_section`, trainings are in
`training_arguments`, and where jobs run is in `resources`. Ranges and defaults come from the library
(`quantities`, `PairRules`, `Shards` ...); those only of an experiment are declared here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias, get_args

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BeforeValidator, ValidationInfo, field_validator, model_validator

from w2s_factory.answers.thinking import ResponsePart
from w2s_factory.experiment.answer_settings import (
    EvaluationSection,
    GenerationSection,
    ModelGeneration,
    ReasoningSection,
    ScoringSection,
)
from w2s_factory.experiment.resources import Environments, LlamaFactory, Resources, SaveSteps
from w2s_factory.experiment.section import Section, off
from w2s_factory.experiment.stage2_section import Stage2Section
from w2s_factory.experiment.training_arguments import (
    Overrides,
    PresetName,
    Trackers,
    TrainingSection,
    found,
    refuse,
)
from w2s_factory.generating.demonstrations import PUBLISHED_COUNT, PUBLISHED_SEED
from w2s_factory.llamafactory.known_templates import VANILLA, WITHOUT_CHAT
from w2s_factory.llamafactory.presets import preset_names
from w2s_factory.quantities import (
    DemonstrationCount,
    Iteration,
    QuestionCount,
)
from w2s_factory.ranges import Seed
from w2s_factory.records.yaml_models import Name
from w2s_factory.tasks import Task, get_task
from w2s_factory.tasks.registry import is_task_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.experiment.stage2_section import Method


class WeakSection(Section):
    """The weak model: trained in the run, used as it is, or represented by its published results.

    Attributes:
        name: Its name in the names of files and datasets (`llama2_7b`).
        model: A folder or hub name: the model that is trained, or that answers as it is.
        adapter: A finished adapter on the model, which is not trained further.
        train: The fine-tuning on gold `train_1`; None uses the model as it is.
        results: Existing results on `train_2`, used instead of generating them.
        test_results: Existing results on the split on which models are compared.
        generation: Settings with which it answers, where they differ from `generation:` of the experiment.
    """

    name: Name
    model: str | None = None
    adapter: str | None = None
    train: TrainingSection | None = None
    results: str | None = None
    test_results: str | None = None
    generation: ModelGeneration | None = None

    @model_validator(mode="after")
    def _answers(self) -> Self:
        if self.model is None and self.results is None:
            raise ValueError("needs a model, or results in its place")
        if self.model is None and (self.adapter or self.train):
            raise ValueError("has adapter or train, but no model for it")
        if self.adapter and self.train:
            raise ValueError("has an adapter, so it is already trained: leave out train")
        return self


class StrongSection(Section):
    """The strong model, which never sees gold solutions (except for the strong ceiling).

    Attributes:
        name: Its name in the names of folders (`llama2_70b`).
        model: A folder or hub name.
        preset: The preset of its fine-tuning; the task's if None.
        overrides: Training arguments that differ from the preset.
        generation: Settings with which it and the models trained from it answer, where they differ from
            `generation:` of the experiment.
    """

    name: Name
    model: str
    preset: PresetName | None = None
    overrides: Overrides = {}
    generation: ModelGeneration | None = None


class Demonstrations(Section):
    """The demonstrations of weak ICL: rows of the weak model's own results, drawn or named by `ids`."""

    count: DemonstrationCount = PUBLISHED_COUNT
    seed: Seed = PUBLISHED_SEED
    ids: list[int | str] | None = None
    exclude_demos: bool = False
    correct_only: bool = False

    @field_validator("ids")
    @classmethod
    def _different(cls, ids: list[int | str] | None) -> list[int | str] | None:
        names = [str(name) for name in ids or ()]
        refuse({(n,): f"expected different ids, got {name} again" if name in names[:n] else None
                for n, name in enumerate(names)})  # fmt: skip
        return ids


class Limit(Section):
    """The number of questions asked, the first of each split; None asks all."""

    train_2: QuestionCount | None = None
    split: QuestionCount | None = None


Baseline: TypeAlias = Literal["weak_floor", "strong_zero_shot", "full_weak", "weak_icl", "strong_ceiling"]
Side: TypeAlias = Literal["weak", "icl", "hybrid"]

Of: TypeAlias = Literal["weak", "strong"]
"""The model from which an answering model comes: the weak one or the strong one."""


Repetition: TypeAlias = Annotated[int, Ge(0), Le(100_000)]
"""A number that a repetition adds to every published seed; the seeds of samples stay within 32 bits."""


class Experiment(Section):
    """The whole experiment file.

    Attributes:
        name: The experiment's name, and that of its folder.
        task: The name of the task, or the absolute path of its file.
        split: The split on which models are compared.
        release: The root folder of the published release, which holds the files of its tasks.
        weak: The weak model.
        strong: The strong model.
        iterations: The number of iterations of Stage I.
        last_iteration: The sets of the last iteration on which a model is trained (in earlier iterations:
            all three, since the next one needs them). `hybrid` is always among them: it gives M_plus.
        baselines: The models with which the method is compared.
        stage2: Stage II; None leaves it out.
        evaluation: Measurements besides the accuracy of one answer to each question.
        generation: The settings with which every model answers.
        scoring: How answers are found in responses and compared.
        reasoning: The texts around a model's thinking; those of its chat template if None.
        train_on: What models learn from responses with thinking: the `whole` response, or the `answer` alone.
        demonstrations: The demonstrations of weak ICL.
        limit: The number of questions asked.
        llamafactory: The settings of LLaMA-Factory.
        report_to: The trackers to which every training reports, under the name of its step; None leaves it to
            the presets.
        resume_training: The number of training steps from one checkpoint to the next, from which an
            interrupted training is resumed; None starts it over.
        environments: The interpreters of other environments.
        resources: The resources of jobs by kind.
        seeds: The whole pipeline is repeated for each; the number is added to every published seed.
        presets: Named changes to the above, chosen with `--preset`.
        notes: Sentences for the reader of the report.
    """

    name: Name
    task: str
    split: str = "test"
    release: str | None = None
    weak: WeakSection
    strong: StrongSection
    iterations: Iteration = 2
    last_iteration: list[Side] = list(get_args(Side))
    baselines: list[Baseline] = list(get_args(Baseline))
    stage2: Annotated[Stage2Section | None, BeforeValidator(off)] = None
    evaluation: EvaluationSection = EvaluationSection()
    generation: GenerationSection = GenerationSection()
    scoring: ScoringSection = ScoringSection()
    reasoning: ReasoningSection | None = None
    train_on: ResponsePart = "whole"
    demonstrations: Demonstrations = Demonstrations()
    limit: Limit = Limit()
    llamafactory: LlamaFactory = LlamaFactory()
    report_to: Trackers = None
    resume_training: SaveSteps | None = None
    environments: Environments = Environments()
    resources: Resources = Resources()
    seeds: Annotated[list[Repetition], MinLen(1), MaxLen(100)] = [0]
    presets: dict[str, dict[str, Any]] = {}
    notes: list[str] = []

    @field_validator("task")
    @classmethod
    def _is_known(cls, task: str, info: ValidationInfo) -> str:
        """Return the task's name, or the absolute path of its file (relative to the experiment file)."""
        if not is_task_file(task):
            return found(get_task, task).name
        if info.context:
            task = os.path.normpath(info.context["folder"] / Path(task).expanduser())
        return found(get_task, task).argument

    @field_validator("split")
    @classmethod
    def _is_of_the_task(cls, split: str, info: ValidationInfo) -> str:
        if "task" in info.data:  # else the task is the mistake
            found(get_task(info.data["task"]).split, split)
            if split in ("train_1", "train_2"):
                raise ValueError(f"expected a split that no model is trained on, got {split}")
        return split

    @field_validator("last_iteration")
    @classmethod
    def _makes_m_plus(cls, sides: list[Side]) -> list[Side]:
        if "hybrid" not in sides:
            raise ValueError("expected hybrid among them, which gives M_plus")
        return sides

    @field_validator("seeds")
    @classmethod
    def _once(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("expected different seeds, got a duplicate")
        return seeds

    @property
    def the_task(self) -> Task:
        """Return the task of that name."""
        return get_task(self.task)

    @property
    def strong_training(self) -> TrainingSection:
        """Return the fine-tuning of the strong model, with the task's preset where none is named."""
        return TrainingSection(
            preset=self.strong.preset or self.the_task.strong_preset, overrides=self.strong.overrides
        )

    def method_training(self, name: str, method: Method) -> TrainingSection:
        """Return a preference training; its template is the strong model's where the file names no preset."""
        template = self.strong_training.value("template")
        if method.preset is not None or template in (None, VANILLA):
            return TrainingSection(preset=method.preset or name, overrides=method.overrides)
        chat = template not in WITHOUT_CHAT and f"chat_{name}" in preset_names()
        preset = f"chat_{name}" if chat else name
        training = TrainingSection(preset=preset, overrides=method.overrides)
        if "template" in method.overrides or training.value("template") == template:
            return training
        return TrainingSection(preset=preset, overrides={"template": template, **method.overrides})

    def tuning(self, method: Method, steps: Mapping[str, Any] | None = None) -> TrainingSection:
        """Return a supervised training of Stage II: as the strong model's, but for what the method sets.

        Args:
            method: The method.
            steps: Further arguments, which decide the number of steps.
        """
        strong = self.strong_training
        overrides = {**strong.overrides, **(steps or {}), **method.overrides}
        return TrainingSection(preset=method.preset or strong.preset, overrides=overrides)

    def answering(self, of: Of) -> GenerationSection:
        """Return the settings with which the weak or the strong model, and those trained from it, answer."""
        return self.generation.changed((self.weak if of == "weak" else self.strong).generation)

    def system(self, of: Of) -> str | None:
        """Return the system prompt of a model's chats: the file's, or else the task's."""
        own = self.answering(of).system
        return self.the_task.system if own is None else own

    def chat(self, of: Of) -> str:
        """Return how a model is asked: `off`, `on` (its own template), or a Jinja file; as it is trained.

        A weak model that is used as it is follows the strong model's training. A model of whose chat template
        the experiment depends must have one, so that `auto` means `on` here.
        """
        chosen = self.answering(of).chat
        if chosen is not None:
            return "on" if chosen == "auto" else chosen
        training = self.weak.train if of == "weak" and self.weak.train else self.strong_training
        return "off" if training.value("template") in (None, *WITHOUT_CHAT) else "on"

    def limited(self, split: str) -> int | None:
        """Return how many questions of a split are asked; None is all."""
        return self.limit.train_2 if split == "train_2" else self.limit.split

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.environments.train and not self.llamafactory.version:
            raise ValueError(
                "environments: expected llamafactory.version with train: the version that is installed there"
            )
        if not self.the_task.teaches_gold:
            self._needs_no_gold()
        self._needs_splits()
        self._needs_chat()
        for limit, results in (("train_2", "results"), ("split", "test_results")):
            if getattr(self.limit, limit) and getattr(self.weak, results):
                raise ValueError(
                    f"limit: expected no {limit} with weak.{results}, which answer all questions"
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

    def _needs_chat(self) -> None:
        """Refuse settings of chats for a model that is not asked in a chat."""
        sides: dict[str, tuple[ModelGeneration | None, tuple[Of, ...]]] = {
            "generation": (self.generation, ("weak", "strong")),
            "weak.generation": (self.weak.generation, ("weak",)),
            "strong.generation": (self.strong.generation, ("strong",)),
        }
        for section, (settings, of) in sides.items():
            if settings and settings.chat_keys and all(self.chat(side) == "off" for side in of):
                raise ValueError(
                    f"{section}: expected a chat with {settings.chat_keys[0]}, got none: "
                    "name a preset with a chat template, or set chat"
                )

    def _needs_no_gold(self) -> None:
        if self.weak.train:
            raise ValueError(f"weak: task {self.task} has no gold solutions to train it on: leave out train")
        if "strong_ceiling" in self.baselines:
            raise ValueError(
                f"baselines: without gold solutions task {self.task} has no strong_ceiling: leave it out"
            )
