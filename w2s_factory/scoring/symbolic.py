"""The published comparison with a working LaTeX parser (SymPy 1.14, antlr runtime 4.11)."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from w2s_factory.scoring.points import is_not_zero
from w2s_factory.scoring.shortcuts import same_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("sympy", "antlr4-python3-runtime")

_KEPT = 4096

quick = same_answer


def prepare() -> None:
    """Import SymPy and its LaTeX parser, once for all workers."""
    parsed("1")


def slow(pred: str, gold: str) -> bool:
    """Return whether `simplify(gold - pred) == 0`; where SymPy can't parse one, whether the texts are equal.

    Any other failure is False, as published: so an inequality is not equal to itself. There is no limit
    on time or memory here; `workers` sets them.
    """
    theirs = parsed(gold)  # first: golds repeat, and with one that can't be parsed the texts decide
    mine = None if theirs is None else parsed(pred)
    if mine is None:
        return pred == gold
    from sympy import simplify  # noqa: PLC0415  most answers need no SymPy

    try:
        difference = theirs - mine
        return not is_not_zero(difference) and bool(simplify(difference) == 0)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  the published verdict
        return False


@lru_cache(_KEPT)
def parsed(answer: str) -> Any:
    """Return the expression `parse_latex` builds; None where it raises."""
    from sympy.parsing.latex import LaTeXParsingError, parse_latex  # noqa: PLC0415  heavy

    for prediction in (_without_context(), nullcontext()):
        try:
            with prediction:
                return parse_latex(answer)
        except LaTeXParsingError:
            continue
        except (ImportError, MemoryError):
            raise
        except Exception:  # noqa: BLE001  whatever the parser raises means that it could not
            break
    return None


@contextmanager
def _without_context() -> Iterator[None]:
    """Let SymPy's parser predict without context, which takes a fifth of the time.

    Where that succeeds, antlr promises the same tree as with context; else it reports a syntax error.
    """
    from sympy.parsing.latex import _parse_latex_antlr as module  # noqa: PLC0415  heavy

    default, quick_parser = _parsers()
    module.LaTeXParser = quick_parser
    try:
        yield
    finally:
        module.LaTeXParser = default


@lru_cache(1)
def _parsers() -> tuple[Any, Any]:
    """Return SymPy's generated parser, and one like it that predicts without context."""
    from antlr4 import PredictionMode  # noqa: PLC0415  heavy
    from sympy.parsing.latex import _parse_latex_antlr as module  # noqa: PLC0415

    class WithoutContext(module.LaTeXParser):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._interp.predictionMode = PredictionMode.SLL

    return module.LaTeXParser, WithoutContext
