"""Section `stage2` of an experiment file: its votes and pairs, and the trainings on them."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Self, TypeAlias

from annotated_types import Ge, MinLen
from pydantic import BeforeValidator, Field, field_validator, model_validator

from w2s_factory.errors import UserError
from w2s_factory.experiment.section import Section, off
from w2s_factory.experiment.training_arguments import Overrides, PresetName, refuse
from w2s_factory.llamafactory.configs import StageTwoModel
from w2s_factory.quantities import (
    PAIR_SETS,
    PUBLISHED_SAMPLES,
    PUBLISHED_TEMPERATURE,
    Confidence,
    HeadroomPoints,
    PairRules,
    PairSet,
    SampledTemperature,
    Samples,
)

VotingSamples: TypeAlias = Annotated[Samples, Ge(2)]
"""The number of samples that vote, at least two."""


class Method(Section):
    """A training of Stage II on the pairs.

    Attributes:
        preset: The training preset; the one of the method's name if None.
        overrides: Training arguments that differ from the preset.
    """

    preset: PresetName | None = None
    overrides: Overrides = {}


def _listed(value: Any) -> Any:
    """Return a list as it is, and a single value as the only one of a list."""
    return value if isinstance(value, list) else [value]


class PairMethod(Method):
    """A training of Stage II on pairs, once for each of `pairs`.

    Attributes:
        pairs: The sets of pairs. `weak` is the published one. `gold` and `random` are controls, no methods:
            the first uses gold answers, the second a coin.
    """

    pairs: Annotated[list[PairSet], BeforeValidator(_listed), MinLen(1)] = ["weak"]

    @field_validator("pairs")
    @classmethod
    def _each_once(cls, pairs: list[PairSet]) -> list[PairSet]:
        if len(set(pairs)) < len(pairs):
            raise ValueError("expected different sets of pairs, got a duplicate")
        return pairs


class SelfTrainingMethod(Method):
    """Supervised fine-tuning on M_plus's responses with the majority answer; `start` is the trained model."""

    start: StageTwoModel = "m-plus"


class Dpo(PairMethod):
    """Training by DPO from M_plus; `reference` is the reference model."""

    reference: StageTwoModel = "m-plus"


class ReferenceFree(PairMethod):
    """Training by a method without a reference model; `start` is the model that is trained."""

    start: StageTwoModel = "m-plus"


PAIR_LABELS: dict[PairSet, str] = {
    "consistency": "consistency pairs",
    "gold": "gold pairs (control)",
    "random": "random pairs (control)",
}
"""The names of the sets of pairs, besides the published one, in the labels of models."""


class Methods(Section):
    """The trainings on the pairs, each with the label that the report gives its model.

    A preference method is a field of the class `Dpo` or `ReferenceFree`, whose preset has the same name.
    `sft_chosen` is the control: supervised fine-tuning on the chosen responses, with the strong model's
    preset and as many rows, epochs and rows per batch as the first preference method (the first with the same
    pairs, if there is one). `self_training` has no pairs: its rows are responses with the majority answer,
    its preset and arguments are the strong model's.
    """

    dpo: Annotated[Dpo | None, BeforeValidator(off), Field(title="Stage II, DPO")] = None
    orpo: Annotated[ReferenceFree | None, BeforeValidator(off), Field(title="Stage II, ORPO")] = None
    simpo: Annotated[ReferenceFree | None, BeforeValidator(off), Field(title="Stage II, SimPO")] = None
    sft_chosen: Annotated[
        PairMethod | None,
        BeforeValidator(off),
        Field(title="Control of Stage II: fine-tuned on the chosen side"),
    ] = None
    self_training: Annotated[
        SelfTrainingMethod | None, BeforeValidator(off), Field(title="Self-training on majority answers")
    ] = None

    @property
    def preference(self) -> dict[str, Dpo | ReferenceFree]:
        """Return the preference methods that are switched on, by name."""
        return {name: method for name, method in self if isinstance(method, (Dpo, ReferenceFree))}

    @property
    def pair_sets(self) -> list[PairSet]:
        """Return the sets of pairs that some training needs, in the order in which they are built."""
        trained = [method for _, method in self if isinstance(method, PairMethod)]
        wanted = {name for method in trained for name in method.pairs}
        return [name for name in PAIR_SETS if name in wanted]

    @classmethod
    def label(cls, name: str, pairs: PairSet = "weak") -> str:
        """Return the label of the model that a method trains on a set of pairs."""
        title = str(cls.model_fields[name].title)
        return title if pairs == "weak" else f"{title}, {PAIR_LABELS[pairs]}"


class Stage2Section(Section):
    """Stage II: M_plus answers several times, its answers vote, and the votes give preference pairs.

    A field with the name of a field of `PairRules` is passed on to `build-data` by the option of that name.

    Attributes:
        samples: The number of responses to each question.
        temperature: The temperature of the samples.
        min_confidence: The least confidence at which a question gives pairs.
        negative_confidence: The least confidence at which a weak answer counts as wrong; not below
            `min_confidence`.
        require_headroom: The least headroom with which methods are trained: the accuracy of M_plus's majority
            answers less that of its one answer to each question, greedy by default, in percentage points;
            None trains in any case.
        methods: The trainings on the pairs.
    """

    samples: VotingSamples = PUBLISHED_SAMPLES
    temperature: SampledTemperature = PUBLISHED_TEMPERATURE
    min_confidence: Confidence = PairRules.min_confidence
    negative_confidence: Confidence = PairRules.negative_confidence
    require_headroom: HeadroomPoints | None = None
    methods: Methods = Methods()

    @property
    def pair_rules(self) -> dict[str, Any]:
        """Return the values of the fields of `PairRules` that the file can set, by field."""
        known = type(self).model_fields
        return {rule.name: getattr(self, rule.name) for rule in fields(PairRules) if rule.name in known}

    def rules_of(self, pairs: PairSet) -> dict[str, Any]:
        """Return those of the rules that a set of pairs is built by."""
        read = {"consistency": {"min_confidence"}, "gold": set[str]()}.get(pairs, {*self.pair_rules})
        return {rule: value for rule, value in self.pair_rules.items() if rule in read}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Check the thresholds together, as Stage II will."""
        try:
            PairRules(**self.pair_rules)
        except UserError as error:
            refuse({(str(error.field),): f"{error.problem}. {error.hint}"})
        return self
