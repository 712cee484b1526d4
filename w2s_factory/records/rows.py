"""The kinds of rows: one `TypedDict` for each, and the `Form` built from it, by which rows are checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NotRequired,
    TypeAlias,
    TypedDict,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Id: TypeAlias = int | str
"""A question's name within a split: its 0-based row (GSM8K, MATH) or a text (`Math_3173`, OlympicArena)."""

RowT = TypeVar("RowT")


class Gsm8kRaw(TypedDict):
    """A row of `data/raw/gsm8k/train_{1,2}.jsonl`.

    `answer` is the worked solution, whose last line is `#### ANSWER`.
    """

    id: str
    question: str
    answer: str


class MathRaw(TypedDict):
    """A row of `data/raw/math/*.jsonl`; `level` is 1 to 5."""

    problem: str
    solution: str
    answer: str
    subject: str
    level: int
    unique_id: str


class OlympicRaw(TypedDict):
    """A row of OlympicArena on the hub; `answer` is missing or null where it is not public."""

    id: str
    prompt: str
    subject: str
    answer_type: str
    language: str
    answer: NotRequired[list[Any] | str | None]
    type_sequence: NotRequired[list[Any] | None]


class Test(TypedDict):
    """A row of `data/test/*.jsonl`: a question, its gold solution and answer; `source` is the split's tag."""

    source: str
    question: str
    solution: str
    answer: str
    tag: dict[str, Any]


class Output(TypedDict):
    """A row of `output.jsonl`: the prompt that a model was given and the response it wrote.

    In a row of a chat, `prompt` is the user's turn alone, `system` the system prompt if there was one, and
    `prompt_opens_thinking` true if the rendered prompt had begun the thinking. `error` is the reason why the
    engine refused the request; `response` is empty then.
    """

    id: Id
    prompt: str
    response: str
    system: NotRequired[str]
    prompt_opens_thinking: NotRequired[bool]
    error: NotRequired[str]


class Result(Output):
    """A row of `results.jsonl`: a scored output. The published files also count tokens (cl100k) and words."""

    pred: str
    gold: str
    result: bool
    num_tokens: NotRequired[int]
    num_words: NotRequired[int]


class Demonstration(TypedDict):
    """A row of a demonstrations file: a question and a response to it, as a model is shown them.

    `source` is the file they were taken from, `sha256` the hash of that file's content; `system` is the
    system prompt of a chat.
    """

    id: Id
    prompt: str
    response: str
    source: str
    sha256: str
    system: NotRequired[str]


class Sft(TypedDict):
    """A row of gold, full weak and Stage I files; the padded MATH files carry three keys of results.

    `system` is the system prompt of a chat.
    """

    id: Id
    content: str
    output: str
    system: NotRequired[str]
    pred: NotRequired[str]
    gold: NotRequired[str]
    result: NotRequired[bool]


class Pair(TypedDict):
    """A preference pair in the release's form, a row of `*_paired.json`; `output` is [chosen, rejected].

    `system` is the system prompt of a chat.
    """

    id: Id
    instruction: str
    input: str
    output: list[str]
    system: NotRequired[str]


class ColumnPair(TypedDict):
    """A preference pair in the form that LLaMA-Factory takes from 0.8 on.

    `system` is the system prompt of a chat.
    """

    id: Id
    instruction: str
    input: str
    chosen: str
    rejected: str
    system: NotRequired[str]


PairForm: TypeAlias = Literal["release", "columns"]
"""The two forms of preference pairs: a list `output` as published (`Pair`), or columns (`ColumnPair`)."""


class Sample(TypedDict):
    """A sampled response within a `Vote`; `result` is missing where the gold is not known.

    `prompt_opens_thinking` and `error` are those of its `Output`.
    """

    response: str
    pred: str
    result: NotRequired[bool]
    prompt_opens_thinking: NotRequired[bool]
    error: NotRequired[str]


class Vote(TypedDict):
    """A row of `majority_voting_results.jsonl`: the responses with the majority answer, and the others.

    `gold` is empty where it is not known; `system` is the system prompt of a chat.
    """

    id: Id
    prompt: str
    gold: str
    pos_responses: list[Sample]
    neg_responses: list[Sample]
    confidence: float
    system: NotRequired[str]


@dataclass(frozen=True)
class Form(Generic[RowT]):
    """The keys of one kind of row with their types, by which rows are checked when they are read or written.

    Attributes:
        name: The name of such rows, in the plural, for messages.
        required: The types allowed for each key that a row must have.
        optional: The types allowed for keys that a row may lack. Further keys are kept and not checked.
        hints: What to do when a required key is missing, by key.
    """

    name: str
    required: Mapping[str, tuple[type, ...]]
    optional: Mapping[str, tuple[type, ...]] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, row: type[RowT], name: str, hints: Mapping[str, str] | None = None) -> Form[RowT]:
        """Return the form that a `TypedDict` declares by its annotations.

        Args:
            row: The `TypedDict`; its keys marked `NotRequired` are optional.
            name: The name of such rows, in the plural.
            hints: What to do when a required key is missing, by key.
        """
        required, optional = {}, {}
        for key, annotation in get_type_hints(row, include_extras=True).items():
            if get_origin(annotation) is NotRequired:
                optional[key] = _types(get_args(annotation)[0])
            else:
                required[key] = _types(annotation)
        return cls(name, required, optional, hints or {})

    def may_lack(self, *keys: str) -> Form[RowT]:
        """Return the form of rows that may lack some required keys; no other optional key is checked."""
        required = {key: types for key, types in self.required.items() if key not in keys}
        return replace(self, required=required, optional={key: self.required[key] for key in keys})


def _types(annotation: Any) -> tuple[type, ...]:
    """Return the types that an annotation allows for a JSON value, in its order; a float may be an int."""
    if get_origin(annotation) in (Union, UnionType):
        return tuple(kind for part in get_args(annotation) for kind in _types(part))
    kind = get_origin(annotation) or annotation
    return (float, int) if kind is float else (kind,)


_SCORE_FIRST = "Score the responses first: w2s-factory score --help"
_NO_VERDICT = f"{_SCORE_FIRST}; a scored row has none where the gold is not known"

GSM8K_RAW = Form.of(Gsm8kRaw, "GSM8K rows")
MATH_RAW = Form.of(MathRaw, "MATH rows")
OLYMPIC_RAW: Form[Any] = Form.of(OlympicRaw, "OlympicArena rows")
TEST = Form.of(Test, "test rows")
OUTPUT = Form.of(Output, "outputs")
RESULT = Form.of(Result, "results", {"pred": _SCORE_FIRST, "gold": _NO_VERDICT, "result": _NO_VERDICT})
ANSWERED = RESULT.may_lack("gold", "result")
"""Results of which only the final answer is needed: questions without a known gold have nothing else."""

DEMONSTRATION = Form.of(Demonstration, "demonstrations")
SFT = Form.of(Sft, "SFT rows")
PAIR = Form.of(Pair, "preference pairs")
COLUMN_PAIR = Form.of(ColumnPair, "preference pairs")
VOTE = Form.of(Vote, "majority votes")

ANY: Form[dict[str, Any]] = Form("rows", {})
"""Rows of any kind, which are not checked."""

_KINDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class Wrong(NamedTuple):
    """A mistake in a row, with its field and a hint."""

    problem: str
    field: str | None = None
    hint: str | None = None


def wrong_row(row: Any, form: Form[Any]) -> Wrong | None:
    """Return the mistake in one row; None if there is none."""
    if type(row) is not dict:
        return Wrong(f"expected an object ({form.name}), got {kind_of(row)}")
    for key, types in form.required.items():
        if key not in row:
            return Wrong(f"is missing; expected a row of {form.name}", key, form.hints.get(key))
        if type(row[key]) not in types or _is_long(row[key]):
            return _wrong_type(key, row[key], types)
    for key, types in form.optional.items():
        if key in row and (type(row[key]) not in types or _is_long(row[key])):
            return _wrong_type(key, row[key], types)
    return None


def _is_long(value: Any) -> bool:
    """Return whether a value is a whole number that does not fit into 64 bits, signed or not."""
    return type(value) is int and not -(2**63) <= value < 2**64


def _wrong_type(key: str, value: Any, types: tuple[type, ...]) -> Wrong:
    expected = " or ".join(_KINDS[kind] for kind in types)
    if _is_long(value) and int in types:
        problem = f"expected {expected}, got a whole number beyond 64 bits, which other programs round"
        return Wrong(problem, key, "Write it as text, in quotes" if str in types else None)
    return Wrong(f"expected {expected}, got {kind_of(value)}", key)


def kind_of(value: Any) -> str:
    """Return what kind of JSON value this is, in words."""
    return _KINDS.get(type(value), type(value).__name__)
