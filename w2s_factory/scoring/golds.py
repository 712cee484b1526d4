"""Joining responses with the golds of their split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, Form, read, read_placed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.records import Id, Output, RowSource

    Gold = dict[str, Any]

GOLDS: Form[Gold] = Form(
    "questions with golds",
    {"question": (str,)},
    optional={"id": (int, str), "answer": (str, type(None)), "tag": (dict,)},
)
"""The release's test form, of which scoring needs the question and the answer. An answer that is null is not
known, nor is any in a file whose rows have no answer: `generate --questions` takes such files."""


def read_golds(golds: str | RowSource, answer_key: str = "") -> dict[Id, Gold]:
    """The rows of a split in the test form by id: their `id` where they have one, else the row, from 0.

    Args:
        golds: The file.
        answer_key: What precedes the answer in a solution: a raw row, whose answer is a whole solution, is
            recognised by it.

    Raises:
        UserError: The file can't be used, it has a duplicate id, or only some rows have an answer.
    """
    tests: dict[Id, Gold] = {}
    answered = None
    for row, (place, test) in enumerate(read_placed(golds, GOLDS)):
        name = gold_id(test, row)
        if name in tests:
            raise place.error(f"duplicate id {name!r}", field="id")
        answered = "answer" in test if answered is None else answered
        if ("answer" in test) is not answered:
            problem = (
                "is missing, and other rows have one" if answered else "is here, and other rows have none"
            )
            raise place.error(problem, field="answer", hint="Write null for an answer that is not known")
        if answer_key and "solution" not in test and answer_key in (test.get("answer") or ""):
            hint = "w2s-factory build-data --stage test makes questions with golds of raw rows"
            raise place.error("expected an answer, got a whole solution", field="answer", hint=hint)
        tests[name] = test
    return tests


def read_outputs(
    path: str | RowSource, golds: str | RowSource | None, *, partial: bool, answer_key: str = ""
) -> tuple[list[Output], list[str | None]]:
    """The rows of outputs, and the gold answer of each; None where it is not known.

    Joined by id. Where outputs have text ids and the golds none, the n-th output goes with the n-th
    gold, and `partial` does not help. Either way the golds must be those of the split that was asked: a
    row's prompt holds the question of its gold.

    Args:
        path: `output.jsonl`.
        golds: The split in the test form; None if no gold is known.
        partial: Whether golds may be without an output.
        answer_key: As `read_golds` takes it.

    Raises:
        UserError: An id has no gold or comes twice, there are not as many outputs as golds, or no prompt
            holds the question of its gold.
    """
    outputs = list(read(path, OUTPUT))
    if not outputs:
        raise UserError("holds no rows", file=path)
    if golds is None:
        return outputs, [None] * len(outputs)
    tests = read_golds(golds, answer_key)
    in_order = isinstance(outputs[0]["id"], str) and set(tests) == set(range(len(tests)))
    if len(outputs) != len(tests) and (in_order or not partial):
        raise UserError(
            f"holds {len(outputs)} rows, but {golds} {len(tests)}",
            file=path,
            hint="Score a part of a split with --partial" if len(outputs) < len(tests) else None,
        )
    _refuse_repeated(outputs, path)
    joined = list(tests.values()) if in_order else _by_id(outputs, tests, path, golds)
    _refuse_other_questions(outputs, joined, path, golds)
    return outputs, [test.get("answer") for test in joined]


def _refuse_other_questions(
    outputs: Sequence[Output], joined: Sequence[Gold], path: str | RowSource, golds: str | RowSource
) -> None:
    """Ids that are rows of a file fit every split; single prompts may be written in other ways."""
    if not any(test["question"] in output["prompt"] for output, test in zip(outputs, joined, strict=True)):
        raise UserError(
            f"no prompt holds the question that {golds} has for it",
            file=path,
            field="prompt",
            hint="Are these the golds of the split that was asked?",
        )


def _refuse_repeated(outputs: Sequence[Output], path: str | RowSource) -> None:
    """Refuse an id that comes twice, also where ids join nothing: evaluating the results would fail."""
    seen: set[Id] = set()
    for row, output in enumerate(outputs, 1):
        if output["id"] in seen:
            raise UserError(f"the id {output['id']!r} comes twice", file=path, row=row, field="id")
        seen.add(output["id"])


def gold_id(test: Mapping[str, Any], row: int) -> Id:
    """Return the id of a question in the test form: its own, or else its row, counted from 0."""
    name = test.get("id", row)
    return name if isinstance(name, (int, str)) else row


def _by_id(
    outputs: Sequence[Output], tests: Mapping[Id, Gold], path: str | RowSource, golds: str | RowSource
) -> list[Gold]:
    for row, output in enumerate(outputs, 1):
        name = output["id"]
        if name not in tests:
            raise UserError(f"{golds} has no gold for the id {name!r}", file=path, row=row, field="id")
    return [tests[output["id"]] for output in outputs]
