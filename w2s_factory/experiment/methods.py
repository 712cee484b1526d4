"""The section of Stage II in an experiment file: samples, votes, and what learns from the pairs."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from annotated_types import Ge
from pydantic import BeforeValidator, model_validator

from w2s_factory.building.pairs import PairRules
from w2s_factory.errors import UserError
from w2s_factory.experiment.mistakes import at
from w2s_factory.experiment.sections import Section, off
from w2s_factory.experiment.training import Overrides, PresetName
from w2s_factory.quantities import Confidence, SampledTemperature, Samples

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


class Stage2(Section):
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
