r"""Verdicts that are certain without SymPy: on plain numbers, simple fractions and equal texts.

Each is tested against SymPy itself (`tests/misuse/test_shortcuts.py`). Where SymPy rounds, or where its
verdict depends on how it simplifies, there is none.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]{1,9}")
_FRACTION: Final = re.compile(r"(-?)\\[dt]?frac\{(-?[1-9][0-9]{0,14}|0)\}\{([1-9][0-9]{0,14})\}")

_LONGEST_DECIMAL: Final = 15
"""Characters of a number that SymPy keeps exactly together with a decimal, which it makes a float."""

_APART: Final = Fraction(1, 10**9)
"""The difference between two numbers, as a share of the larger, that no rounding hides."""

_LETTERS: Final = r"[0-9A-Za-z +*()\[\],^_-]"
_ROOT: Final = rf"\\sqrt\{{{_LETTERS}*+\}}"
_COMMAND: Final = r"\\(?:cdot|circ|left|mathrm|pi|right|sqrt(?=\{)|text|theta|times)(?![A-Za-z])"
_QUOTIENT: Final = rf"\\[dt]?frac\{{(?:{_LETTERS}|\\pi(?![A-Za-z])|{_ROOT})*+\}}\{{0*[1-9][0-9]*\}}"
_HARMLESS: Final = re.compile(rf"(?:{_LETTERS}|[{{}}]|{_COMMAND}|{_QUOTIENT})*+")
"""Sums, products, powers and roots, and fractions over a number other than zero."""

_UNDEFINED: Final = re.compile(
    r"[=<>/:\u00f7\u221e\u2248\u2260-\u226b]|\^\s*\{?\s*-|\\[dct]?frac"
    r"|\\(?:n?[lg]eq?|[lg]eqq|[lg]eqslant|neq?|[lg]t|equiv|approx|simeq|sim|in|div|over|infty)(?![A-Za-z])"
)
"""Relations, divisions (negative powers, too) and infinity."""


def same_answer(pred: str, gold: str) -> bool | None:
    """Return whether `simplify(gold - pred) == 0` of two LaTeX answers; None where only SymPy can say.

    SymPy cannot parse an empty answer, and then the published comparison is of the texts.
    """
    if not (pred and gold):
        return pred == gold
    if pred == gold and equals_itself(pred):
        return True
    return _same_number(pred, gold)


def equals_itself(answer: str) -> bool:
    r"""Return whether an answer is certain to equal itself: it has no relation, and is never undefined.

    SymPy finds `x<3`, `\frac{1}{0}` and `\infty` unequal to themselves, and rounds decimals.
    """
    if "^" in answer and "-" in answer:  # a negative power of zero is undefined
        return False
    return _HARMLESS.fullmatch(answer) is not None


def may_be_undefined(answer: str) -> bool:
    """Return whether an answer holds a relation, a division or infinity."""
    return _UNDEFINED.search(answer) is not None


def _same_number(pred: str, gold: str) -> bool | None:
    """Return whether two plain numbers or simple fractions are equal."""
    if _INTEGER.fullmatch(pred) and _INTEGER.fullmatch(gold):
        return pred == gold or pred.lstrip("-") == gold.lstrip("-") == "0"
    mine, theirs = _value(pred), _value(gold)
    if mine is None or theirs is None:
        return None
    if not (_DECIMAL.fullmatch(pred) or _DECIMAL.fullmatch(gold)):
        return mine == theirs
    if _is_fraction(pred) or _is_fraction(gold) or mine != theirs:
        return False if abs(mine - theirs) > _APART * max(abs(mine), abs(theirs)) else None
    return True


def _value(answer: str) -> Fraction | None:
    """Return the value of a number that SymPy holds without rounding; None for any other answer."""
    if match := _FRACTION.fullmatch(answer):
        sign, top, bottom = match.groups()
        return Fraction(int(f"{sign}1") * int(top), int(bottom))
    if len(answer) > _LONGEST_DECIMAL or not (_INTEGER.fullmatch(answer) or _DECIMAL.fullmatch(answer)):
        return None
    return Fraction(answer)


def _is_fraction(answer: str) -> bool:
    return "frac" in answer
