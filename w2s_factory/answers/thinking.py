"""Thinking in a response: the markers between which a model thinks before it answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Markers:
    """The texts between which a model thinks: `start` and `end`."""

    start: str
    end: str


DEFAULT_MARKERS: tuple[Markers, ...] = (
    Markers("<think>", "</think>"),
    Markers("[THINK]", "[/THINK]"),
    Markers("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""The markers that are recognised by default: Qwen3, DeepSeek and others; Mistral; gpt-oss (harmony)."""
