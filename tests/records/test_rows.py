"""Forms of rows that are derived from their types."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from w2s_factory.records import ANSWERED, RESULT, Form, Id
from w2s_factory.records.rows import wrong_row


class Row(TypedDict):
    """A row with a key of each kind."""

    id: Id
    text: str
    number: float
    texts: list[str]
    more: NotRequired[dict[str, Any] | None]


def test_a_form_is_what_the_row_type_declares():
    form = Form.of(Row, "rows")
    assert form.required == {"id": (int, str), "text": (str,), "number": (float, int), "texts": (list,)}
    assert form.optional == {"more": (dict, type(None))}


def test_keys_that_rows_may_lack_are_still_checked():
    row = {"id": 1, "prompt": "", "response": "", "pred": "1"}
    assert wrong_row(row, RESULT).field == "gold"
    assert wrong_row(row, ANSWERED) is None
    assert wrong_row({**row, "result": "true"}, ANSWERED).field == "result"
    assert wrong_row({**row, "num_tokens": "3"}, ANSWERED) is None
