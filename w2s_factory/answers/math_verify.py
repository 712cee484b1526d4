"""Comparison by the Math-Verify library, which is optional: the extra `math-verify`."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

PACKAGES = ("math-verify", "latex2sympy2_extended", "sympy", "antlr4-python3-runtime")

_INTEGER = re.compile(r"-?[1-9][0-9]{0,14}\Z")
_KEPT = 4096
_DELIMITERS = ("$", r"\(", r"\[", r"\boxed")


def quick(answer: str, reference: str) -> bool | None:
    """Return the verdict of `slow` on plainly written whole numbers and missing answers, else None."""
    if not answer:
        return False
    return answer == reference if _INTEGER.match(answer) and _INTEGER.match(reference) else None


def prepare() -> None:
    """Import the library, once for all workers."""
    _parsed("$1$")


def as_text(gold: str) -> str:
    """Return a gold as a text in which Math-Verify finds it: LaTeX without delimiters gets them."""
    return gold if any(mark in gold for mark in _DELIMITERS) else f"${gold}$"


def slow(answer: str, reference: str) -> bool:
    """Return whether Math-Verify finds an answer equal to a reference, both LaTeX as written."""
    return slow_texts(f"${answer}$", f"${reference}$")


def quick_texts(answer: str, reference: str) -> bool | None:
    """Return the verdict of `slow_texts` on empty texts, else None."""
    return None if answer.strip() and reference.strip() else False


def slow_texts(answer: str, reference: str) -> bool:
    """Return whether Math-Verify finds equal answers in two texts, by its default extraction.

    Its own time limits need the main thread's alarm signal and are off; `workers` limits the time instead.
    """
    from math_verify import verify  # noqa: PLC0415  an extra

    expected, given = _parsed(reference), _parsed(answer)
    try:
        return bool(verify(expected, given, timeout_seconds=None, raise_on_error=True))
    except (ImportError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  by default it skips readings that it cannot compare
        return bool(verify(expected, given, timeout_seconds=None))


@lru_cache(_KEPT)
def _parsed(text: str) -> list[Any]:
    """Return the answer that Math-Verify finds in a text: expressions, then the text itself."""
    from math_verify import parse  # noqa: PLC0415

    for name in ("math_verify.parser", "math_verify.grader"):
        logging.getLogger(name).setLevel(logging.ERROR)  # they warn that their time limit is off
    try:
        parsed: list[Any] = parse(text, parsing_timeout=None, raise_on_error=True)
    except (ImportError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  as by default
        return []
    return parsed
