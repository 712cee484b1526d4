"""An experiment as its file describes it: every section, its keys, what they mean if left out."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from w2s_factory.experiment.training import PresetName, Training, found
from w2s_factory.tasks import Task, get_task

Kind: TypeAlias = Literal["data", "train", "export", "generate", "score", "vote", "report"]
"""What sort of step it is, which decides its resources and interpreter."""

Baseline: TypeAlias = Literal["weak_floor", "strong_zero_shot", "full_weak", "weak_icl", "strong_ceiling"]
Side: TypeAlias = Literal["weak", "icl", "hybrid"]
Start: TypeAlias = Literal["m-plus", "base"]

_NAME = re.compile(r"[\w.-]+")


class Section(BaseModel):
    """A part of the file, whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _off(value: Any) -> Any:
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

    name: str
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

    name: str
    model: str
    preset: PresetName | None = None
    overrides: dict[str, Any] = {}


class Preference(Section):
    """A preference method of Stage II.

    Attributes:
        preset: The training preset; the method's own if None.
        overrides: Training arguments that differ from it.
    """

    preset: PresetName | None = None
    overrides: dict[str, Any] = {}


class Dpo(Preference):
    """DPO; `reference` is what the policy is held against."""

    reference: Start = "m-plus"


class FromStart(Preference):
    """ORPO or SimPO; `start` is what is trained: M_plus, or the strong base."""

    start: Start = "m-plus"


class Methods(Section):
    """What learns from the pairs; `sft_chosen` is the control: fine-tuning on their chosen side.

    It takes the strong model's preset, and as many rows and epochs, in batches as large, as the first of
    the other methods.
    """

    dpo: Annotated[Dpo | None, BeforeValidator(_off)] = None
    orpo: Annotated[FromStart | None, BeforeValidator(_off)] = None
    simpo: Annotated[FromStart | None, BeforeValidator(_off)] = None
    sft_chosen: Annotated[Preference | None, BeforeValidator(_off)] = None

    @property
    def preference(self) -> dict[str, Dpo | FromStart]:
        """The methods chosen that learn from both sides, by name."""
        named = {"dpo": self.dpo, "orpo": self.orpo, "simpo": self.simpo}
        return {name: method for name, method in named.items() if method is not None}


class Stage2(Section):
    """Stage II: samples of M_plus, votes, pairs.

    Attributes:
        samples: How many responses a question.
        temperature: Of the samples.
        min_confidence: The least confidence that counts at all.
        negative_confidence: The least that calls a weak answer wrong.
        methods: What learns from the pairs.
    """

    samples: int = Field(10, ge=2)
    temperature: float = Field(1.0, gt=0)
    min_confidence: float = Field(0.6, ge=0, le=1)
    negative_confidence: float = Field(0.8, ge=0, le=1)
    methods: Methods = Methods()


class PassAt(Section):
    """Sampled answers to the split, for pass@k; `models` are keys of the report, all if None."""

    k: int = Field(10, ge=1)
    temperature: float = Field(1.0, gt=0)
    models: list[str] | None = None


class Evaluation(Section):
    """How models are compared, beside greedily."""

    pass_at: Annotated[PassAt | None, BeforeValidator(_off)] = None


class Limit(Section):
    """Ask only the first questions of a split; None asks all."""

    train_2: int | None = Field(None, ge=1)
    split: int | None = Field(None, ge=1)


class Generation(Section):
    """How every model answers.

    Attributes:
        engine: `transformers`, `vllm`, `openai`; chosen on the machine if None.
        options: The engine's own options.
        shards: Jobs into which the questions of a run are spread.
        samples_per_job: Sampling seeds a job; all if None.
        max_tokens: The longest response; the task's if None.
        bos: The BOS token before a prompt: `auto`, `add`, `none`.
    """

    engine: str | None = None
    options: dict[str, Any] = {}
    shards: int = Field(1, ge=1)
    samples_per_job: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    bos: Literal["auto", "add", "none"] = "auto"


class Demonstrations(Section):
    """What weak ICL is shown: rows of the weak model's own results, drawn or named by `ids`."""

    count: int = Field(4, ge=1)
    seed: int = 42
    ids: list[int | str] | None = None
    exclude_demos: bool = False
    correct_only: bool = False


class LlamaFactory(Section):
    """The LLaMA-Factory whose YAMLs and pairs are written; the installed one if None."""

    version: str | None = None


class Environments(Section):
    """The interpreters of other environments; None is the one `run` runs in.

    Attributes:
        train: Of the LLaMA-Factory to start.
        generate: Where the engine and `w2s-factory` are installed.
    """

    train: str | None = None
    generate: str | None = None


class Need(Section):
    """What a job of a kind needs.

    Attributes:
        gpus: Whole devices.
        threads: Processor cores.
        mem: Memory, as Snakemake reads it ("64GB").
        runtime: Time, likewise ("12h").
        more: Further Snakemake resources, as an executor knows them (slurm_partition ...).
    """

    gpus: int = Field(0, ge=0)
    threads: int = Field(1, ge=1)
    mem: str | None = None
    runtime: str | None = None
    more: dict[str, str | int] = {}


class Resources(Section):
    """What jobs need by kind: `data` stands for all that neither train, merge nor generate."""

    train: Need = Need()
    export: Need = Need()
    generate: Need = Need()
    data: Need = Need()

    def of(self, kind: Kind) -> Need:
        """The need of a step's kind."""
        need = getattr(self, kind) if kind in ("train", "export", "generate") else self.data
        assert isinstance(need, Need)
        return need


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

    name: str
    task: str
    split: str = "test"
    release: str | None = None
    weak: Weak
    strong: Strong
    iterations: int = Field(2, ge=1)
    last_iteration: list[Side] = ["weak", "icl", "hybrid"]
    baselines: list[Baseline] = EVERY_BASELINE
    stage2: Annotated[Stage2 | None, BeforeValidator(_off)] = None
    evaluation: Evaluation = Evaluation()
    generation: Generation = Generation()
    demonstrations: Demonstrations = Demonstrations()
    limit: Limit = Limit()
    llamafactory: LlamaFactory = LlamaFactory()
    environments: Environments = Environments()
    resources: Resources = Resources()
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1)
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
            splits = get_task(info.data["task"]).splits
            if split not in splits:
                raise ValueError(f'task {info.data["task"]} has no "{split}", only {", ".join(splits)}')
        return split

    @field_validator("last_iteration")
    @classmethod
    def _makes_m_plus(cls, sides: list[Side]) -> list[Side]:
        if "hybrid" not in sides:
            raise ValueError("must name hybrid, which makes M_plus")
        return sides

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("must be made of letters, digits, and the signs _ . -")
        return name

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
            raise ValueError("environments: with `train`, llamafactory.version must say what is installed there")
        if self.limit.train_2 and self.weak.results:
            raise ValueError("limit: train_2 cannot be limited where weak.results stand for the weak model")
        return self
