"""The published normalisation of final answers, which is applied to answers and references alike."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUBSTITUTIONS = (
    ("an ", ""),
    ("a ", ""),
    (".$", "$"),
    ("\\$", ""),
    ("\\ ", ""),
    ("\\%", "%"),
    (" ", ""),
    ("mbox", "text"),
    (",\\text{and}", ","),
    ("\\text{and}", ","),
    ("\\text{m}", "\\text{}"),
)
_REMOVED = (
    "square",
    "ways",
    "integers",
    "dollars",
    "mph",
    "inches",
    "ft",
    "hours",
    "km",
    "units",
    "\\ldots",
    "sue",
    "points",
    "feet",
    "minutes",
    "digits",
    "cents",
    "degrees",
    "cm",
    "gm",
    "pounds",
    "meters",
    "meals",
    "edges",
    "students",
    "childrentickets",
    "multiples",
    "\\text{s}",
    "\\text{.}",
    "\\text{\ns}",
    "\\text{}^2",
    "\\text{}^3",
    "\\text{\n}",
    "\\text{}",
    "\\mathrm{th}",
    "^\\circ",
    "^{\\circ}",
    "\\;",
    ",\\!",
    "{,}",
    '"',
    "\\dots",
)
_REMOVALS = tuple((expression, "") for expression in _REMOVED)
_SHORT_FRACTION = re.compile(r"frac([^{])(.)")
_SHORT_ROOT = re.compile(r"sqrt([^{])")


def normalise(answer: str) -> str:
    r"""Return an answer in the form in which the release compares it.

    The replacements of Lewkowycz et al. 2022 (Minerva, appendix; their order matters) come first, then
    unwrapping, completed fractions and roots, and plain digits. The release's oddities are kept: `banana 4`
    gives `banan4`, `\infty` gives `\iny`. The time is linear in the length of the answer.
    """
    return _short_normalised(answer) if len(answer) <= _SHORT else _normalised(answer)


_SHORT: Final = 50
"""The characters of an answer that may be normalised before; a longer one would fill the memory."""


def _normalised(answer: str) -> str:
    answer = answer.rsplit("=", 1)[-1]
    answer = _replaced(_replaced(answer, _SUBSTITUTIONS), _REMOVALS)
    answer = "\n".join(map(_unwrapped, answer.split("\n")))
    answer = _SHORT_FRACTION.sub(r"frac{\1}{\2}", answer)
    answer = _SHORT_ROOT.sub(r"sqrt{\1}", answer).replace("$", "")
    return _choice_letter(_plain_digits(answer))


_short_normalised = lru_cache(maxsize=20_000)(_normalised)


def _replaced(answer: str, replacements: Iterable[tuple[str, str]]) -> str:
    """Replace each text in order, everywhere; texts with other characters than the answer's are skipped."""
    characters = set(answer).union(*(new for old, new in replacements))
    for old, new in replacements:
        if characters.issuperset(old):
            answer = answer.replace(old, new)
    return answer


def _unwrapped(line: str) -> str:
    """Return a line without the wrapping of an answer: `$...$`, text commands, a box."""
    parts = line.split("$", 2)
    if len(parts) == 3:
        line = f"${parts[1]}$"  # the dollars count as characters until they are dropped
    for command in ("\\text{", "\\textbf{", "\\overline{"):
        line = _unwrapped_to_first_brace(line, command)
    return _unwrapped_to_last_brace(line, "\\boxed{")


def _unwrapped_to_first_brace(line: str, command: str) -> str:
    kept, here = [], 0
    while (start := line.find(command, here)) >= 0:
        end = line.find("}", start + len(command))
        if end < 0:
            break
        kept += [line[here:start], line[start + len(command) : end]]
        here = end + 1
    return "".join(kept) + line[here:]


def _unwrapped_to_last_brace(line: str, command: str) -> str:
    start, end = line.find(command), line.rfind("}")
    if start < 0 or end < start:
        return line
    return line[:start] + line[start + len(command) : end] + line[end + 1 :]


def _plain_digits(answer: str) -> str:
    if answer.replace(",", "").isdigit():
        answer = answer.replace(",", "")
    for ending in (".0", ".00", "%"):
        number = answer.removesuffix(ending)
        if number.isdigit():
            answer = number
    return answer


def _choice_letter(answer: str) -> str:
    """Return an answer, in lower case if it is a capital from A to G, the letter of a choice."""
    return answer.lower() if answer in tuple("ABCDEFG") else answer
