"""The published comparison with a working LaTeX parser (SymPy 1.14, antlr runtime 4.11)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from w2s_factory.scoring import exact
from w2s_factory.scoring.latex import Refused, read_latex

PACKAGES = ("sympy", "antlr4-python3-runtime")

_KEPT = 4096

_read = lru_cache(_KEPT)(read_latex)


def quick(pred: str, gold: str) -> bool | None:
    """The verdict of `slow` where it is certain without SymPy; None elsewhere."""
    mine = _read(pred)
    if isinstance(mine, Refused):
        return pred == gold
    theirs = _read(gold)
    if isinstance(theirs, Refused):
        return pred == gold
    if mine is None or theirs is None:
        return None
    return exact.equal(mine, theirs)


def prepare() -> None:
    """Import SymPy and its LaTeX parser, once for all workers."""
    _by_antlr("1")


def slow(pred: str, gold: str) -> bool:
    """Whether `simplify(gold - pred) == 0`; where an answer can't be parsed, whether the texts are equal.

    Any other failure is False, as published: so an inequality is not equal to itself. There is no limit
    on time or memory here; `workers` sets them.
    """
    mine, theirs = parsed(pred), parsed(gold)
    if mine is None or theirs is None:
        return pred == gold
    from sympy import simplify  # noqa: PLC0415  most answers need no SymPy

    try:
        return bool(simplify(theirs - mine) == 0)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  the published verdict
        return False


@lru_cache(_KEPT)
def parsed(answer: str) -> Any:
    """The expression `parse_latex` gives, by the short way where it is known; None where it raises."""
    shape = _read(answer)
    if isinstance(shape, Refused):
        return None
    try:
        return _by_antlr(answer) if shape is None else _by_shape(shape)
    except (ImportError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  whatever the parser raises means that it could not
        return None


def _by_shape(shape: Any) -> Any:
    from w2s_factory.scoring.expression import expression  # noqa: PLC0415

    return expression(shape)


def _by_antlr(answer: str) -> Any:
    from sympy.parsing.latex import parse_latex  # noqa: PLC0415

    return parse_latex(answer)
