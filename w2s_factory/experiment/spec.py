"""The experiment file as pydantic models: data and models, resources, Stage II, and the whole."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from w2s_factory.building.pairs import PairRules
from w2s_factory.errors import UserError
from w2s_factory.experiment.training_arguments import Overrides, PresetName, TrainingSection, at, found
from w2s_factory.generating.demonstrations import PUBLISHED_COUNT, PUBLISHED_SEED
from w2s_factory.generating.generation_files import Shards
from w2s_factory.quantities import (
    Confidence,
    DemonstrationCount,
    Iteration,
    MaxTokens,
    QuestionCount,
    SampledTemperature,
    Samples,
)
from w2s_factory.ranges import Seed, is_number, problem
from w2s_factory.tasks import Task, get_task

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


class WeakSection(Section):
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
    train: TrainingSection | None = None
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


class StrongSection(Section):
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


class EvaluationSection(Section):
    """How models are compared, beside greedily."""

    pass_at: Annotated[PassAt | None, BeforeValidator(off)] = None


class Limit(Section):
    """Ask only the first questions of a split; None asks all."""

    train_2: QuestionCount | None = None
    split: QuestionCount | None = None


Kind: TypeAlias = Literal["data", "train", "export", "generate", "score", "vote", "report"]
"""What sort of step it is, which decides its resources and interpreter."""


def _amount(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})? ?[A-Za-z]{1,12}", text):
        raise ValueError(f'expected a number and its unit (64GB, 12h), got "{text}"')
    return text


Gpus: TypeAlias = Annotated[int, Ge(0), Le(1_024)]
"""Whole devices of a job."""


Amount: TypeAlias = Annotated[str, AfterValidator(_amount)]
"""Memory or time of a job: a number and its unit."""

Threads: TypeAlias = Annotated[int, Ge(1), Le(4_096)]
"""Processor cores of a job."""


class GenerationSection(Section):
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
    shards: Shards = 1
    samples_per_job: Samples | None = None
    max_tokens: MaxTokens | None = None
    bos: Literal["auto", "add", "none"] = "auto"


class LlamaFactory(Section):
    """How LLaMA-Factory is used.

    Attributes:
        version: The one whose YAMLs and pairs are written; the installed one if None.
        cpu: Train on a machine without a GPU: the presets' bf16 needs one.
    """

    version: str | None = None
    cpu: bool = False


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

    gpus: Gpus = 0
    threads: Threads = 1
    mem: Amount | None = None
    runtime: Amount | None = None
    more: dict[str, str | int] = {}


class Resources(Section):
    """What jobs need by kind: `data` stands for all that neither train, merge nor generate."""

    train: Need = Need()
    export: Need = Need()
    generate: Need = Need()
    data: Need = Need()

    def of(self, kind: Kind) -> Need:
        """The need of a step's kind."""
        own = {"train": self.train, "export": self.export, "generate": self.generate}
        return own.get(kind, self.data)


VotingSamples: TypeAlias = Annotated[Samples, Ge(2)]
"""Samples that vote; one alone has nobody to outvote."""

Start: TypeAlias = Literal["m-plus", "base"]


class Preference(Section):
    """A preference method of Stage II.

    Attributes:
        preset: The training preset; the method's own if None.
        overrides: Training arguments that differ from it.
    """

    preset: PresetName | None = None
    overrides: Overrides = {}


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

    dpo: Annotated[Dpo | None, BeforeValidator(off)] = None
    orpo: Annotated[FromStart | None, BeforeValidator(off)] = None
    simpo: Annotated[FromStart | None, BeforeValidator(off)] = None
    sft_chosen: Annotated[Preference | None, BeforeValidator(off)] = None

    @property
    def preference(self) -> dict[str, Dpo | FromStart]:
        """The methods chosen that learn from both sides, by name."""
        named = {"dpo": self.dpo, "orpo": self.orpo, "simpo": self.simpo}
        return {name: method for name, method in named.items() if method is not None}


class Stage2Section(Section):
    """Stage II: samples of M_plus, votes, pairs.

    Attributes:
        samples: How many responses a question.
        temperature: Of the samples.
        min_confidence: The least confidence that counts at all.
        negative_confidence: The least that calls a weak answer wrong; not below `min_confidence`.
        methods: What learns from the pairs.
    """

    samples: VotingSamples = 10
    temperature: SampledTemperature = 1.0
    min_confidence: Confidence = PairRules.min_confidence
    negative_confidence: Confidence = PairRules.negative_confidence
    methods: Methods = Methods()

    @model_validator(mode="after")
    def _as_pair_rules(self) -> Self:
        """Check the two thresholds together, as Stage II will."""
        try:
            PairRules(min_confidence=self.min_confidence, negative_confidence=self.negative_confidence)
        except UserError as error:
            at({(str(error.field),): f"{error.problem}. {error.hint}"})
        return self


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
    weak: WeakSection
    strong: StrongSection
    iterations: Iteration = 2
    last_iteration: list[Side] = ["weak", "icl", "hybrid"]
    baselines: list[Baseline] = EVERY_BASELINE
    stage2: Annotated[Stage2Section | None, BeforeValidator(off)] = None
    evaluation: EvaluationSection = EvaluationSection()
    generation: GenerationSection = GenerationSection()
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
    def strong_training(self) -> TrainingSection:
        """How the strong model is fine-tuned."""
        return TrainingSection(
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
