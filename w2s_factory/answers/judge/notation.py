"""The notation of answers for the judge: extraction from the box, normalisation, separation at commas."""

from __future__ import annotations

import re
from typing import Final

_BOX: Final = r"\boxed{"

_REPLACED: Final = (
    (r"\left", ""),
    (r"\right", ""),
    ("\N{RATIO}", ":"),
    ("\N{FULLWIDTH COMMA}", ","),
    ("$", ""),
    (r"\approx", "="),
    (r"\simeq", "="),
    (r"\sim", "="),
    (r"^\prime", "'"),
    (r"^{\prime}", "'"),
    (r"^\circ", ""),
    ("%", ""),
)
"""Replacements in this order, each everywhere: so `\\leftarrow` becomes `arrow`, as published."""

_ROMAN: Final = re.compile(r"\\(?:mathrm|mathbf)\{~?([^}]*)\}")
_TEXTS: Final = (re.compile(r"\\text\{(.*?)\}"), re.compile(r"\\textbf\{(.*?)\}"))
"""Text commands, which end on the line on which they start."""

_SHORT: Final = (
    (re.compile(r"frac([^{])(.)"), r"frac{\1}{\2}"),
    (re.compile(r"sqrt([^{])"), r"sqrt{\1}"),
)


def boxed(response: str) -> str:
    r"""Return the content of the first `\boxed{...}`, normalised; the whole response if there is none.

    A first box that is empty or never closed counts as none: later boxes are not considered.
    """
    start = response.find(_BOX) + len(_BOX)
    if start < len(_BOX):
        return response
    depth = 1
    for place in range(start, len(response)):
        depth += {"{": 1, "}": -1}.get(response[place], 0)
        if not depth:
            return normalised(response[start:place]) if place > start else response
    return response


def normalised(answer: str) -> str:
    """Return an answer without typesetting: sizes of brackets, dollars, degree signs, text commands."""
    for written, meant in _REPLACED:
        answer = answer.replace(written, meant)
    answer = _unwrapped(_ROMAN, answer)
    for command in _TEXTS:
        answer = "\n".join(_unwrapped(command, line) for line in answer.split("\n"))
    for pattern, meant in _SHORT:
        answer = pattern.sub(meant, answer)
    return answer.strip().strip("$").strip()


def _unwrapped(command: re.Pattern[str], text: str) -> str:
    """Return a text in which a command is replaced by its argument.

    The text after the last closing brace is not searched, so that the time is linear in the text.
    """
    closed, brace, rest = text.rpartition("}")
    return command.sub(r"\1", closed + brace) + rest


def items(answer: str) -> list[str]:
    """Return the parts of an answer between commas outside `()` and `[]`; braces do not protect a comma.

    A trailing comma adds no item.
    """
    found, depth, start = [], 0, 0
    for place, character in enumerate(answer):
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            found.append(answer[start:place])
            start = place + 1
    if start < len(answer):
        found.append(answer[start:])
    return [item.strip().strip("$").strip() for item in found]
