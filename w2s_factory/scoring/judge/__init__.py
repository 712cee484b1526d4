"""OlympicArena's rule-based judge (Huang et al. 2024): whether a response's answer is the gold."""

from __future__ import annotations

from w2s_factory.scoring.judge.gold import Gold
from w2s_factory.scoring.judge.judging import judge
from w2s_factory.scoring.judge.rules import AUTOMATIC, TYPES

__all__ = ["AUTOMATIC", "TYPES", "Gold", "judge"]
