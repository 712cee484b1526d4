"""The kinds of files an audit knows, and what each of their rows must hold so that the checks can read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.records import COLUMN_PAIR, OUTPUT, RESULT, VOTE, Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from w2s_factory.records import Place

Kind: TypeAlias = Literal["split", "sft", "pairs", "results", "votes", "demonstrations"]
Row: TypeAlias = dict[str, Any]

_KEYS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("demonstrations", frozenset({"prompt", "response", "sha256"})),
    ("votes", frozenset({"pos_responses", "neg_responses"})),
    ("results", frozenset({"prompt", "response"})),
    ("pairs", frozenset({"instruction", "output"})),
    ("pairs", frozenset({"instruction", "chosen", "rejected"})),
    ("sft", frozenset({"content", "output"})),
    ("split", frozenset({"question", "answer"})),
    ("split", frozenset({"problem", "solution", "answer", "unique_id"})),
)
"""The keys by which each kind is recognised, the more particular first."""

_Types: TypeAlias = dict[str, tuple[type, ...]]

_TEXT = (str,)
_GOLD = (str, int, float, type(None))
_ID: _Types = {"id": (int, str)}
_VERDICT: _Types = {"pred": _TEXT, "gold": _TEXT, "result": (bool,)}

_FORMS: Mapping[Kind, Form[Any]] = {
    "demonstrations": Form("demonstrations", {"prompt": _TEXT, "response": _TEXT}, optional=_ID),
    "votes": VOTE,
    "results": Form("results", OUTPUT.required, optional={**_VERDICT, **RESULT.optional}),
    "sft": Form("SFT rows", {"content": _TEXT, "output": _TEXT}, optional=_ID | _VERDICT),
    "split": Form("test rows", {"question": _TEXT, "answer": _GOLD}, {"solution": (str, type(None))}),
}
_RAW: Form[Any] = Form("raw rows", {"problem": _TEXT, "solution": _TEXT, "answer": _GOLD})
_PAIR_LIST: Form[Any] = Form("preference pairs", {"instruction": _TEXT, "output": (list,)}, optional=_ID)
_PAIR_COLUMNS: Form[Any] = Form(
    "preference pairs",
    {key: kinds for key, kinds in COLUMN_PAIR.required.items() if key not in ("id", "input")},
    optional=_ID,
)


def kind_of(rows: Iterable[Row]) -> Kind | None:
    """Return the kind of the first row that is of a known one; None if there is no such row."""
    return next((kind for row in rows if (kind := _kind(row))), None)


def problem_of(kind: Kind, row: Row, place: Place) -> UserError | None:
    """Return what keeps the checks from reading a row; None if nothing does."""
    try:
        place.require(row, _form(kind, row))
        _require_texts(kind, row, place)
    except UserError as error:
        return error
    return None


def _kind(row: Row) -> Kind | None:
    if isinstance(row.get("output"), str) and "instruction" in row and "chosen" not in row:
        return None  # supervised rows in the Alpaca form, which is not the release's
    return next((kind for kind, keys in _KEYS if keys <= row.keys()), None)


def _form(kind: Kind, row: Row) -> Form[Any]:
    if kind == "pairs":
        return _PAIR_COLUMNS if row.keys() & {"chosen", "rejected"} else _PAIR_LIST
    return _RAW if kind == "split" and "problem" in row else _FORMS[kind]


def _require_texts(kind: Kind, row: Row, place: Place) -> None:
    """Check the items of lists, which a form does not describe."""
    if kind == "pairs" and "chosen" not in row and [type(text) for text in row["output"]] != [str, str]:
        raise place.error("expected a list of two texts, [chosen, rejected]", field="output")
    for pool in ("pos_responses", "neg_responses") if kind == "votes" else ():
        if not all(_is_sample(sample) for sample in row[pool]):
            raise place.error("expected objects with the texts response and pred", field=pool)


def _is_sample(sample: Any) -> bool:
    return isinstance(sample, dict) and all(isinstance(sample.get(key), str) for key in ("response", "pred"))
