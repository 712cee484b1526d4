"""OlympicArena's rule-based judge (Huang et al. 2024), which decides whether a response is right."""

from __future__ import annotations

from w2s_factory.answers.judge.rules import AUTOMATIC, TYPES
from w2s_factory.answers.judge.structured_gold import Gold
from w2s_factory.answers.judge.verdict import judge

__all__ = ["AUTOMATIC", "TYPES", "Gold", "judge"]
