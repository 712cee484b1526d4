"""A gold as one text: what several quantities are, and of which types, goes through files and processes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK = '${"answer": '
"""How a structured gold begins: with a sign no normalised answer holds, so that no model can write one."""


@dataclass(frozen=True)
class Gold:
    """What a prediction is judged against.

    Attributes:
        answer: A text; or a list, of a set or of several quantities one each.
        type_sequence: The type of each quantity, where there are several.
        answer_type: The one type to judge by; None for automatic.
    """

    answer: str | Sequence[str]
    type_sequence: Sequence[str] | None = None
    answer_type: str | None = None

    def text(self) -> str:
        """The gold as one text: a plain answer itself, else `$` and a JSON object of what is known."""
        fields = {"type_sequence": self.type_sequence, "answer_type": self.answer_type}
        known = {key: _plain(value) for key, value in fields.items() if value}
        if isinstance(self.answer, str) and not known:
            return self.answer
        return "$" + json.dumps({"answer": _plain(self.answer), **known})


def sole(answer: str | Sequence[str]) -> str | Sequence[str]:
    """A list of one element is that element, as in the published evaluation."""
    return answer if isinstance(answer, str) or len(answer) != 1 else answer[0]


def hub_gold(answers: Any, type_sequence: Any = None) -> str:
    """The text of a gold as the hub has it; empty where it, or a quantity of it, is not known: null or blank.

    Args:
        answers: A text, or a list of texts (or numbers), one a quantity.
        type_sequence: The types of several quantities.

    Raises:
        UserError: They are something else, or a text that would be read as a structured gold.
    """
    listed = [answers] if answers is None or isinstance(answers, str) else answers
    if not isinstance(listed, list) or not all(one is None or _is_answer(one) for one in listed):
        raise UserError("expected texts or numbers", field="answer")
    if type_sequence is not None and not _is_texts(type_sequence):
        raise UserError("expected a list of texts", field="type_sequence")
    texts = ["" if one is None else str(one) for one in listed]
    if not texts or not all(text.strip() for text in texts):
        return ""
    answer = sole(texts)
    if isinstance(answer, str) and is_structured(answer):
        raise UserError(f"a gold may not begin with {_MARK}", field="answer")
    return Gold(answer, type_sequence).text()


def _is_answer(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _plain(value: str | Sequence[str]) -> str | list[str]:
    return value if isinstance(value, str) else list(value)


def is_structured(text: str) -> bool:
    """Whether a gold is more than a plain answer."""
    return text.startswith(_MARK)


def read_gold(text: str) -> Gold:
    """The gold that `Gold.text` wrote; a text that is not structured is a plain answer.

    Raises:
        UserError: It begins as a structured gold and is none.
    """
    if not is_structured(text):
        return Gold(text)
    try:
        fields: Any = json.loads(text[1:])
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not _fits(**fields):
        raise UserError(
            f"not a gold: {text[:80]}",
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
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
