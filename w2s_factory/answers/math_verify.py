"""The Math-Verify library's comparison, an extra: `pip install math-verify`."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

PACKAGES = ("math-verify", "latex2sympy2_extended", "sympy", "antlr4-python3-runtime")

_INTEGER = re.compile(r"-?[1-9][0-9]{0,14}\Z")
_KEPT = 4096


def quick(pred: str, gold: str) -> bool | None:
    """The verdict of `slow` where it is certain: two whole numbers written plainly; None elsewhere."""
    if not pred:
        return False
    return pred == gold if _INTEGER.match(pred) and _INTEGER.match(gold) else None


def prepare() -> None:
    """Import the library, once for all workers."""
    _parsed("1")


def slow(pred: str, gold: str) -> bool:
    """Whether Math-Verify finds a prediction equal to a gold, both LaTeX as written.

    Its own time limits, which need the main thread's alarm signal, are off: `workers` sets them.
    """
    from math_verify import verify  # noqa: PLC0415  an extra

    theirs, mine = _parsed(gold), _parsed(pred)
    try:
        return bool(verify(theirs, mine, timeout_seconds=None, raise_on_error=True))
    except (ImportError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  its default passes over readings it can't compare, and goes on
        return bool(verify(theirs, mine, timeout_seconds=None))


@lru_cache(_KEPT)
def _parsed(answer: str) -> list[Any]:
    """What Math-Verify reads: expressions, then the text itself."""
    from math_verify import parse  # noqa: PLC0415

    for name in ("math_verify.parser", "math_verify.grader"):
        logging.getLogger(name).setLevel(logging.ERROR)  # they warn that their time limit is off
    try:
        parsed: list[Any] = parse(f"${answer}$", parsing_timeout=None, raise_on_error=True)
    except (ImportError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  as by default
        return []
    return parsed
