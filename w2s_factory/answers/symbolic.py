"""The release's symbolic comparison, with a working LaTeX parser (SymPy 1.14, antlr runtime 4.11).

Many unequal expressions are found without simplification: numbers are substituted for their symbols, and the
values count where two precisions agree.
"""

from __future__ import annotations

import cmath
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.answers.shortcuts import same_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

POINTS: Final = (("1.1", "0.37"), ("2.3", "0.53"))
"""The points: the number for the first symbol, and the increase from one symbol to the next."""

NEAR: Final = 1e-6
"""A value counts as finite and not 0 if it is larger than this and smaller than its inverse."""

_DIGITS: Final = (15, 50)
"""The two precisions of a value, which must agree: where terms cancel, few digits are all wrong."""

_AGREEING: Final = 1e-9
"""The largest relative difference between the two values."""


def value_at(expression: Any, symbols: list[Any], point: tuple[str, str]) -> complex:
    """Return the expression's value at a point; 0 if it is unclear.

    It is unclear if SymPy integrates numerically or sums a series, since the result with more digits may
    then be as wrong as the one with few.
    """
    from sympy import Derivative, Float, Integral, Limit, Product, Sum  # noqa: PLC0415  heavy

    if expression.has(Integral, Sum, Product, Limit, Derivative):
        return 0
    fine: complex = 0
    for digits in _DIGITS:
        numbers = count(*(Float(part, digits) for part in point))
        rough, fine = fine, _value(expression, dict(zip(symbols, numbers, strict=False)))
        if not fine:
            return 0
    return fine if abs(rough - fine) <= _AGREEING * abs(fine) else 0


def is_not_zero(expression: Any) -> bool:
    """Return whether a value shows that an expression is not zero; False if that is unclear.

    Expressions with decimals are always unclear, because SymPy's verdict on them depends on its rounding.
    """
    from sympy import Float  # noqa: PLC0415  heavy

    if expression.has(Float):
        return False
    return value_at(expression, sorted(expression.free_symbols, key=str), POINTS[0]) != 0


def _value(expression: Any, numbers: dict[Any, Any]) -> complex:
    """Return the expression's value; 0 if it has none, or if it is not finite or too small."""
    try:
        found = complex(expression.subs(numbers))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  unknown functions and overflows show nothing
        return 0
    return found if cmath.isfinite(found) and NEAR < abs(found) < 1 / NEAR else 0


PACKAGES = ("sympy", "antlr4-python3-runtime")

_KEPT = 4096

quick = same_answer


def prepare() -> None:
    """Import SymPy and its LaTeX parser, once for all workers."""
    parsed("1")


def slow(answer: str, reference: str) -> bool:
    """Return whether `simplify(reference - answer) == 0`.

    If SymPy cannot parse one of them, the texts are compared. Any other failure is False, as published: so an
    inequality is not equal to itself. Time and memory are not limited here but in `workers`.
    """
    expected = parsed(reference)  # first, since references repeat and are in the cache
    given = None if expected is None else parsed(answer)
    if given is None:
        return answer == reference
    from sympy import simplify  # noqa: PLC0415  most answers need no SymPy

    try:
        difference = expected - given
        return not is_not_zero(difference) and bool(simplify(difference) == 0)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  the published verdict
        return False


@lru_cache(_KEPT)
def parsed(answer: str) -> Any:
    """Return the expression that `parse_latex` builds; None if it raises an error."""
    from sympy.parsing.latex import LaTeXParsingError, parse_latex  # noqa: PLC0415  heavy

    for prediction in (_without_context(), nullcontext()):
        try:
            with prediction:
                return parse_latex(answer)
        except LaTeXParsingError:
            continue
        except (ImportError, MemoryError):
            raise
        except Exception:  # noqa: BLE001  any other error means that it cannot be parsed
            break
    return None


@contextmanager
def _without_context() -> Iterator[None]:
    """Have SymPy's parser predict without context while the block runs, which takes a fifth of the time.

    If that succeeds, antlr guarantees the same tree as with context; if not, it reports a syntax error.
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
    """Return SymPy's generated parser class, and a subclass that predicts without context."""
    from antlr4 import PredictionMode  # noqa: PLC0415  heavy
    from sympy.parsing.latex import _parse_latex_antlr as module  # noqa: PLC0415

    class WithoutContext(module.LaTeXParser):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._interp.predictionMode = PredictionMode.SLL

    return module.LaTeXParser, WithoutContext
