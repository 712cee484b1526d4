r"""Equality of answers as numbers, exact or within a tolerance; values are fractions, never floats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_LONGEST: Final = 1000
"""The most characters of a number; longer texts are compared as text."""

_DECIMAL: Final = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?"
_SCIENTIFIC: Final = re.compile(rf"({_DECIMAL})(?:[eE]([+-]?\d{{1,4}}))?", re.ASCII)
_QUOTIENT: Final = re.compile(rf"({_DECIMAL})/({_DECIMAL})", re.ASCII)
_FRACTION: Final = re.compile(rf"([+-]?)\\[dt]?frac\{{({_DECIMAL})\}}\{{({_DECIMAL})\}}", re.ASCII)
_SPACES: Final = re.compile(r"\\[,!;]|\{,\}(?=\d{3})")
"""LaTeX's thin spaces and its comma between thousands."""

_SIGNED_CURRENCY: Final = re.compile(r"^([+-])[$€£]")

_SIGNS: Final = "$%€£ \t\n"
"""Signs around a number that have no effect: of currency and per cent, and whitespace."""


@dataclass(frozen=True)
class Tolerance:
    """The largest difference of a number from a reference at which the two count as equal.

    Attributes:
        absolute: The difference itself.
        relative: The difference as a share of the reference's absolute value.
    """

    absolute: Fraction = Fraction(0)
    relative: Fraction = Fraction(0)

    @classmethod
    def parse(cls, value: str | float) -> Tolerance:
        """Return the tolerance that is written as a difference (`0.01`) or as a share (`1%`).

        Args:
            value: The text; of a float, its shortest text counts, so that 0.1 means exactly a tenth.

        Raises:
            ValueError: It is neither, or negative.
        """
        text = str(value).strip()
        bare = text.removesuffix("%").rstrip()
        number = number_of(bare) if _SCIENTIFIC.fullmatch(bare) else None
        if isinstance(value, bool) or number is None or number < 0:
            raise ValueError(f"expected a difference (0.01) or a share of the gold answer (1%), got {text}")
        return cls(relative=number / 100) if text.endswith("%") else cls(absolute=number)


EXACT: Final = Tolerance()


def number_of(text: str) -> Fraction | None:
    r"""Return the number that a text is, as an exact fraction; None if it is something else.

    It may have a sign, commas between thousands, a decimal point, an exponent, and the sign of a currency or
    of per cent, which has no effect; it may be a quotient, `3/4` or `\frac{3}{4}`.
    """
    if len(text) > _LONGEST:
        return None
    bare = text.replace("\\$", "$").replace("\\%", "%").replace("\u2212", "-").strip(_SIGNS)
    plain = _SIGNED_CURRENCY.sub(r"\1", _SPACES.sub("", bare.removesuffix(".").strip(_SIGNS)))
    if match := _SCIENTIFIC.fullmatch(plain):
        mantissa = _decimal(match[1])
        return None if mantissa is None else mantissa * Fraction(10) ** int(match[2] or 0)
    if match := _QUOTIENT.fullmatch(plain):
        return _divided(_decimal(match[1]), _decimal(match[2]))
    if match := _FRACTION.fullmatch(plain):
        found = _divided(_decimal(match[2]), _decimal(match[3]))
        return None if found is None else -found if match[1] == "-" else found
    return None


def equal_numbers(answer: str, reference: str, tolerance: Tolerance = EXACT) -> bool:
    """Return whether an answer is the same text as a reference, or the same number within a tolerance."""
    if answer == reference:
        return True
    given, expected = number_of(answer), number_of(reference)
    if given is None or expected is None:
        return False
    return abs(given - expected) <= tolerance.absolute + tolerance.relative * abs(expected)


def _decimal(text: str) -> Fraction | None:
    """Return the value of a decimal number; None if the text has no digit."""
    digits = text.replace(",", "")
    return Fraction(digits) if any(map(str.isdigit, digits)) else None


def _divided(top: Fraction | None, bottom: Fraction | None) -> Fraction | None:
    return None if top is None or not bottom else top / bottom
