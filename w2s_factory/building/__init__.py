"""Datasets for LLaMA-Factory: gold, full weak, Stage I, Stage II."""

from __future__ import annotations

from w2s_factory.building.agreement import Accuracy, Agreement
from w2s_factory.building.conversion import chosen_side, convert_pairs
from w2s_factory.building.dataset_files import Built, Recipe
from w2s_factory.building.full_weak import build_full_weak
from w2s_factory.building.gold import build_gold, build_test
from w2s_factory.building.pair_check import PairCheck, check_pairs
from w2s_factory.building.pair_explanation import PairSource, explain_pair
from w2s_factory.building.prompt_form import PromptForm
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.building.sampled_pairs import (
    SampledPairCounts,
    SampledPairSet,
    build_consistency_pairs,
    build_gold_pairs,
)
from w2s_factory.building.self_training import SelfTraining, SelfTrainingCounts, build_self_training
from w2s_factory.building.stage1 import EqualResultsWarning, Padding, Stage1, build_stage1
from w2s_factory.building.stage2 import PairCounts, Stage2, build_stage2
from w2s_factory.building.stage2_headroom import Headroom, HeadroomShares, PairVerdicts, headroom
from w2s_factory.building.stage_inputs import Inputs, inputs_of
from w2s_factory.quantities import ConsistencyRules, PairDraws, PairRules, PairThresholds

__all__ = [
    "Accuracy",
    "Agreement",
    "Built",
    "ConsistencyRules",
    "EqualResultsWarning",
    "Headroom",
    "HeadroomShares",
    "Inputs",
    "Padding",
    "PairCheck",
    "PairCounts",
    "PairDraws",
    "PairRules",
    "PairSource",
    "PairThresholds",
    "PairVerdicts",
    "PromptForm",
    "Recipe",
    "ResponseRule",
    "SampledPairCounts",
    "SampledPairSet",
    "SelfTraining",
    "SelfTrainingCounts",
    "Stage1",
    "Stage2",
    "build_consistency_pairs",
    "build_full_weak",
    "build_gold",
    "build_gold_pairs",
    "build_self_training",
    "build_stage1",
    "build_stage2",
    "build_test",
    "check_pairs",
    "chosen_side",
    "convert_pairs",
    "explain_pair",
    "headroom",
    "inputs_of",
]
