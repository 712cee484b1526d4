"""Datasets for LLaMA-Factory: gold, full weak, Stage I."""

from __future__ import annotations

from w2s_factory.building.agreement import Accuracy, Agreement
from w2s_factory.building.example import Inputs, inputs_of
from w2s_factory.building.full_weak import build_full_weak
from w2s_factory.building.gold import build_gold, build_test
from w2s_factory.building.placing import Built, Recipe
from w2s_factory.building.stage1 import Stage1, build_stage1

__all__ = [
    "Accuracy",
    "Agreement",
    "Built",
    "Inputs",
    "Recipe",
    "Stage1",
    "build_full_weak",
    "build_gold",
    "build_stage1",
    "build_test",
    "inputs_of",
]
