r"""Verdicts that are certain without SymPy: on plain numbers, simple fractions and equal texts.

They are tested against SymPy itself (`tests/misuse/test_shortcuts.py`). There is no such verdict where SymPy
rounds, or where its verdict depends on how it simplifies.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]{1,9}")
_FRACTION: Final = re.compile(r"(-?)\\[dt]?frac\{(-?[1-9][0-9]{0,14}|0)\}\{([1-9][0-9]{0,14})\}")

_LONGEST_DECIMAL: Final = 15
"""The most characters of a number that stays exact when SymPy combines it with a decimal, a float."""

_APART: Final = Fraction(1, 10**9)
"""A relative difference between two numbers that no rounding hides."""

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
"""Relations, divisions (also negative powers) and infinity."""


def same_answer(answer: str, reference: str) -> bool | None:
    """Return whether `simplify(reference - answer) == 0` for LaTeX texts; None where only SymPy can decide.

    SymPy cannot parse an empty text; then the published comparison compares the texts.
    """
    if not (answer and reference):
        return answer == reference
    if answer == reference and equals_itself(answer):
        return True
    return _same_number(answer, reference)


def equals_itself(answer: str) -> bool:
    r"""Return whether an answer certainly equals itself: it has no relation, and is never undefined.

    SymPy finds `x<3`, `\frac{1}{0}` and `\infty` unequal to themselves, and rounds decimals.
    """
    if "^" in answer and "-" in answer:  # a negative power of zero is undefined
        return False
    return _HARMLESS.fullmatch(answer) is not None


def may_be_undefined(answer: str) -> bool:
    """Return whether an answer holds a relation, a division or infinity."""
    return _UNDEFINED.search(answer) is not None


def _same_number(answer: str, reference: str) -> bool | None:
    """Return whether two plain numbers or simple fractions are equal."""
    if _INTEGER.fullmatch(answer) and _INTEGER.fullmatch(reference):
        return answer == reference or answer.lstrip("-") == reference.lstrip("-") == "0"
    given, expected = _value(answer), _value(reference)
    if given is None or expected is None:
        return None
    if not (_DECIMAL.fullmatch(answer) or _DECIMAL.fullmatch(reference)):
        return given == expected
    if _is_fraction(answer) or _is_fraction(reference) or given != expected:
        far = abs(given - expected) > _APART * max(abs(given), abs(expected))
        return False if far else None
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
