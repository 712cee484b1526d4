"""Weak-to-strong reasoning on LLaMA-Factory.

A weak model's answers become training data for a strong one (Yang, Ma, Liu, "Weak-to-Strong
Reasoning", arXiv 2407.13647). The public API is declared in `__init__.pyi`; each name is imported when it
is first used, so importing this package costs next to nothing.
"""

from __future__ import annotations

import warnings
from typing import Any

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_RENAMED = {"Finding": "Diagnosis", "draw": "draw_plan", "explain": "explain_pair"}
"""Earlier public names, which keep working for one release."""


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        text = f"w2s_factory.{name} is now w2s_factory.{_RENAMED[name]}; the old name will be removed"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        name = _RENAMED[name]
    return _public(name)
