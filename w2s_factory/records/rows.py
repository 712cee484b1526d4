"""What each kind of file holds: one `TypedDict` a row type, and the `Form` that checks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NotRequired, TypeAlias, TypedDict, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

Id: TypeAlias = int | str
"""A question's name within a split: its 0-based row (GSM8K, MATH) or text (`Math_3173`, OlympicArena)."""

RowT = TypeVar("RowT")


class Gsm8kRaw(TypedDict):
    """`data/raw/gsm8k/train_{1,2}.jsonl`: `answer` is the worked solution, `#### ANSWER` its last line."""

    id: str
    question: str
    answer: str


class MathRaw(TypedDict):
    """`data/raw/math/*.jsonl`: `level` is 1 to 5."""

    problem: str
    solution: str
    answer: str
    subject: str
    level: int
    unique_id: str


class Test(TypedDict):
    """`data/test/*.jsonl`: a question with its gold solution and answer; `source` is the split's tag."""

    source: str
    question: str
    solution: str
    answer: str
    tag: dict[str, Any]


class Output(TypedDict):
    """`output.jsonl`: what a model was given and what it wrote."""

    id: Id
    prompt: str
    response: str


class Result(Output):
    """`results.jsonl`: an output scored. The published files also count tokens (cl100k) and words."""

    pred: str
    gold: str
    result: bool
    num_tokens: NotRequired[int]
    num_words: NotRequired[int]


class Demonstration(TypedDict):
    """A demonstrations file: a question with a response to it, as a model is shown them.

    `source` is the file they were taken from, `sha256` that file's content.
    """

    id: Id
    prompt: str
    response: str
    source: str
    sha256: str


class Sft(TypedDict):
    """Rows of gold, full weak and Stage I files; the padded MATH files carry three keys of results."""

    id: Id
    content: str
    output: str


class Pair(TypedDict):
    """`*_paired.json`: `output` is [chosen, rejected]."""

    id: Id
    instruction: str
    input: str
    output: list[str]


class Sample(TypedDict):
    """One sampled response within a `Vote`; `result` is missing where the gold is not known."""

    response: str
    pred: str
    result: NotRequired[bool]


class Vote(TypedDict):
    """`majority_voting_results.jsonl`: responses with the majority answer, and the others.

    `gold` is empty where it is not known.
    """

    id: Id
    prompt: str
    gold: str
    pos_responses: list[Sample]
    neg_responses: list[Sample]
    confidence: float


@dataclass(frozen=True)
class Form(Generic[RowT]):
    """How rows of one kind are checked when read.

    Attributes:
        name: What the rows are, in the plural, for messages.
        required: Types allowed for each key that must be there.
        optional: Types allowed for keys that may be missing. Other keys are kept unchecked.
        hints: What to do when a required key is missing.
    """

    name: str
    required: Mapping[str, tuple[type, ...]]
    optional: Mapping[str, tuple[type, ...]] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)


_ID = {"id": (int, str)}
_SCORED = {"pred": (str,), "gold": (str,), "result": (bool,)}
_SCORE_FIRST = "Score the responses first: w2s-factory score --help"

GSM8K_RAW: Form[Gsm8kRaw] = Form("GSM8K rows", {"id": (str,), "question": (str,), "answer": (str,)})
MATH_RAW: Form[MathRaw] = Form(
    "MATH rows",
    {
        "problem": (str,),
        "solution": (str,),
        "answer": (str,),
        "subject": (str,),
        "level": (int,),
        "unique_id": (str,),
    },
)
OLYMPIC_RAW: Form[dict[str, Any]] = Form(
    "OlympicArena rows",
    {"id": (str,), "prompt": (str,), "subject": (str,), "answer_type": (str,), "language": (str,)},
    optional={"answer": (list, str, type(None)), "type_sequence": (list, type(None))},
)
"""A row of the hub: `answer` is missing or null where it is not public."""

TEST: Form[Test] = Form(
    "test rows",
    {"source": (str,), "question": (str,), "solution": (str,), "answer": (str,), "tag": (dict,)},
)
OUTPUT: Form[Output] = Form("outputs", {**_ID, "prompt": (str,), "response": (str,)})
RESULT: Form[Result] = Form(
    "results",
    {**OUTPUT.required, **_SCORED},
    optional={"num_tokens": (int,), "num_words": (int,)},
    hints={
        "pred": _SCORE_FIRST,
        **dict.fromkeys(
            ("gold", "result"), f"{_SCORE_FIRST}; a row that is scored has none if no gold is known"
        ),
    },
)
ANSWERED: Form[Result] = Form(
    "results",
    {**OUTPUT.required, "pred": (str,)},
    optional={"gold": (str,), "result": (bool,)},
    hints={"pred": _SCORE_FIRST},
)
"""Results of which only the final answer is needed: questions without gold have nothing else."""

DEMONSTRATION: Form[Demonstration] = Form(
    "demonstrations", {**OUTPUT.required, "source": (str,), "sha256": (str,)}
)
SFT: Form[Sft] = Form(
    "SFT rows",
    {**_ID, "content": (str,), "output": (str,)},
    optional=_SCORED,
)
PAIR: Form[Pair] = Form(
    "preference pairs", {**_ID, "instruction": (str,), "input": (str,), "output": (list,)}
)
VOTE: Form[Vote] = Form(
    "majority votes",
    {
        **_ID,
        "prompt": (str,),
        "gold": (str,),
        "pos_responses": (list,),
        "neg_responses": (list,),
        "confidence": (float, int),
    },
)

ANY: Form[dict[str, Any]] = Form("rows", {})
"""Rows of which nothing is asked."""

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
    """A mistake in a row, with its field and what to do about it."""

    problem: str
    field: str | None = None
    hint: str | None = None


def wrong_row(row: Any, form: Form[Any]) -> Wrong | None:
    """Return the mistake in one row; None if there is none."""
    if type(row) is not dict:
        return Wrong(f"expected an object ({form.name}), got {kind_of(row)}")
    for key, types in form.required.items():
        if key not in row:
            return Wrong(f"is missing ({form.name})", key, form.hints.get(key))
        if type(row[key]) not in types or _is_long(row[key]):
            return _wrong_type(key, row[key], types)
    for key, types in form.optional.items():
        if key in row and (type(row[key]) not in types or _is_long(row[key])):
            return _wrong_type(key, row[key], types)
    return None


def _is_long(value: Any) -> bool:
    """Whether a value is a whole number that does not fit into 64 bits, signed or not."""
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
