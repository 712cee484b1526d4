"""Gold answers as one text, also those of several quantities and types, for files and worker processes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK = '${"answer": '
"""The start of a structured gold. No normalised answer holds its `$`, so that no model can write one."""


@dataclass(frozen=True)
class Gold:
    """A gold answer for the judge.

    Attributes:
        answer: A text, or a list of the elements of a set or of several quantities.
        type_sequence: The type of each quantity, if there are several.
        answer_type: The type to judge by; None to try all types.
    """

    answer: str | Sequence[str]
    type_sequence: Sequence[str] | None = None
    answer_type: str | None = None

    def text(self) -> str:
        """Return the gold as one text: a plain answer as it is, else `$` and a JSON object of its fields."""
        fields = {"type_sequence": self.type_sequence, "answer_type": self.answer_type}
        known = {key: _plain(value) for key, value in fields.items() if value}
        if isinstance(self.answer, str) and not known:
            return self.answer
        return "$" + json.dumps({"answer": _plain(self.answer), **known})


def sole(answer: str | Sequence[str]) -> str | Sequence[str]:
    """Return the element of a list of one, as in the published evaluation; any other answer as it is."""
    return answer if isinstance(answer, str) or len(answer) != 1 else answer[0]


def hub_gold(answers: Any, type_sequence: Any = None) -> str:
    """Return the text of a gold from the hub; empty if it, or one of its quantities, is null or blank.

    Args:
        answers: A text, or a list with a text or number for each quantity.
        type_sequence: The types of several quantities.

    Raises:
        UserError: The answers or types are something else, or a text would be read as a structured gold.
    """
    listed = [answers] if answers is None or isinstance(answers, str) else answers
    if not isinstance(listed, list) or not all(answer is None or _is_answer(answer) for answer in listed):
        raise UserError("expected texts or numbers", field="answer")
    if type_sequence is not None and not _is_texts(type_sequence):
        raise UserError("expected a list of texts", field="type_sequence")
    texts = ["" if answer is None else str(answer) for answer in listed]
    if not texts or not all(text.strip() for text in texts):
        return ""
    answer = sole(texts)
    if isinstance(answer, str) and is_structured(answer):
        raise UserError(f"a gold answer may not begin with {_MARK}", field="answer")
    return Gold(answer, type_sequence).text()


def _is_answer(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _plain(value: str | Sequence[str]) -> str | list[str]:
    return value if isinstance(value, str) else list(value)


def is_structured(text: str) -> bool:
    """Return whether the text of a gold is more than a plain answer."""
    return text.startswith(_MARK)


def read_gold(text: str) -> Gold:
    """Return the gold that `Gold.text` wrote; a text that is not structured is a plain answer.

    Raises:
        UserError: The text begins like a structured gold and is not one.
    """
    if not is_structured(text):
        return Gold(text)
    try:
        fields: Any = json.loads(text[1:])
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not _fits(**fields):
        raise UserError(
            f"not a gold answer: {text[:80]}",
            field="answer",
            hint='Expected ${"answer": [TEXT, ...], "type_sequence": [TYPE, ...]}',
        )
    return Gold(**fields)


def _fits(answer: Any = None, type_sequence: Any = (), answer_type: Any = "", **unknown: Any) -> bool:
    return (
        not unknown
        and (isinstance(answer, str) or _is_texts(answer))
        and (type_sequence == () or _is_texts(type_sequence))
        and isinstance(answer_type, str)
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
