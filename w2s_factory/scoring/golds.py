"""Golds of a split, and responses joined with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, Form, read_placed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.records import Id, Output, Place, RowSource

    Gold = dict[str, Any]

GOLDS: Form[Gold] = Form(
    "questions with golds",
    {"question": (str,)},
    optional={"id": (int, str), "answer": (str, type(None)), "tag": (dict,)},
)
"""The parts of the release's test form that scoring needs: the question and the answer. The answer is null if
it is not known; in files of questions for `generate --questions`, rows may have no answer at all."""


OTHER_SPLIT = "Are these the gold answers of another split?"
"""The hint where responses and gold answers do not belong together."""


def read_golds(golds: str | RowSource, answer_key: str = "") -> dict[Id, Gold]:
    """Return the rows of a split in the test form by id (see `gold_id`).

    Args:
        golds: The file, or its rows.
        answer_key: The text that precedes the answer in a solution. A raw row is recognised by it: its answer
            is a whole solution.

    Raises:
        UserError: The file cannot be read, it has a duplicate id, only some rows have an answer, or a row is
            a raw one.
    """
    tests: dict[Id, Gold] = {}
    answered = None
    for row, (place, test) in enumerate(read_placed(golds, GOLDS)):
        name = gold_id(test, row)
        if name in tests:
            raise place.error(f"duplicate id {name!r}", field="id")
        answered = "answer" in test if answered is None else answered
        if ("answer" in test) is not answered:
            problem = "is missing, but the rows before have one"
            if not answered:
                problem = "expected no answer, as in the rows before, got one"
            raise place.error(problem, field="answer", hint="Write null for an answer that is not known")
        if answer_key and "solution" not in test and answer_key in (test.get("answer") or ""):
            hint = "Turn raw rows into the test form with w2s-factory build-data --stage test"
            raise place.error("expected an answer, got a whole solution", field="answer", hint=hint)
        tests[name] = test
    return tests


def read_outputs(
    path: str | RowSource, golds: str | RowSource | None, *, partial: bool, answer_key: str = ""
) -> tuple[list[Output], list[str | None]]:
    """Return the rows of outputs, and the gold answer of each; None if it is not known.

    Rows are joined by id. If the outputs have text ids and the golds have none, they are joined by place, and
    `partial` is ignored. Either way the golds must be those of the questions that were asked: prompts hold
    the question of their gold.

    Args:
        path: `output.jsonl`, or its rows.
        golds: The split in the test form; None if no gold is known.
        partial: Whether golds may be without an output.
        answer_key: As `read_golds` takes it.

    Raises:
        UserError: An id has no gold or is a duplicate, there are not as many outputs as golds, or no prompt
            holds the question of its gold.
    """
    placed = list(read_placed(path, OUTPUT))
    outputs = [output for _, output in placed]
    if not outputs:
        raise UserError("holds no rows", file=path)
    if golds is None:
        return outputs, [None] * len(outputs)
    tests = read_golds(golds, answer_key)
    in_order = isinstance(outputs[0]["id"], str) and set(tests) == set(range(len(tests)))
    if len(outputs) != len(tests) and (in_order or not partial):
        raise UserError(
            f"expected as many rows as {golds} has ({len(tests):,}), got {len(outputs):,}",
            file=path,
            hint="To score a part of a split, use --partial" if len(outputs) < len(tests) else OTHER_SPLIT,
        )
    _refuse_duplicates(placed)
    joined = list(tests.values()) if in_order else _by_id(placed, tests, golds)
    _refuse_other_questions(outputs, joined, path, golds)
    return outputs, [test.get("answer") for test in joined]


def _refuse_other_questions(
    outputs: Sequence[Output], joined: Sequence[Gold], path: str | RowSource, golds: str | RowSource
) -> None:
    """Refuse golds of another split, to which ids that are row numbers fit, too.

    A single match is enough, since a prompt may word its question in another way.
    """
    if not any(test["question"] in output["prompt"] for output, test in zip(outputs, joined, strict=True)):
        raise UserError(
            f"no prompt holds the question that {golds} has for its id",
            file=path,
            field="prompt",
            hint="Check that these golds belong to the split that was asked",
        )


def _refuse_duplicates(outputs: Sequence[tuple[Place, Output]]) -> None:
    """Refuse a duplicate id, also if rows are joined by place: the results could not be evaluated."""
    seen: set[Id] = set()
    for place, output in outputs:
        if output["id"] in seen:
            raise place.error(f"duplicate id {output['id']!r}", field="id")
        seen.add(output["id"])


def _by_id(
    outputs: Sequence[tuple[Place, Output]], tests: Mapping[Id, Gold], golds: str | RowSource
) -> list[Gold]:
    """Return the gold of each output, by id."""
    for place, output in outputs:
        if output["id"] not in tests:
            raise place.error(f"the id {output['id']!r} is not in {golds}", field="id", hint=OTHER_SPLIT)
    return [tests[output["id"]] for _, output in outputs]


def gold_id(test: Mapping[str, Any], row: int) -> Id:
    """Return the id of a question in the test form: its `id`, or else its row, counted from 0."""
    name = test.get("id", row)
    return name if isinstance(name, (int, str)) else row
