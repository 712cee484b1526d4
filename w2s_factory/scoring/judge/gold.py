"""A gold as one text: what several quantities are, and of which types, goes through files and processes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYS = {"answer", "type_sequence", "answer_type"}


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
        """The gold as one text: a plain answer itself, else a JSON object of what is known."""
        fields = {"type_sequence": self.type_sequence, "answer_type": self.answer_type}
        known = {key: _plain(value) for key, value in fields.items() if value}
        if isinstance(self.answer, str) and not known:
            return self.answer
        return json.dumps({"answer": _plain(self.answer), **known})


def _plain(value: str | Sequence[str]) -> str | list[str]:
    return value if isinstance(value, str) else list(value)


def read_gold(text: str) -> Gold:
    """The gold that `Gold.text` wrote; any other text, which a model may have written, is a plain answer."""
    if not text.startswith('{"answer": '):
        return Gold(text)
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError):
        return Gold(text)
    return Gold(**fields) if isinstance(fields, dict) and fields.keys() <= _KEYS else Gold(text)
