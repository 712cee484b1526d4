"""Joining responses with the golds of their split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, TEST, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.records import Id, Output, RowSource, Test


def read_golds(golds: str | RowSource) -> dict[Id, Test]:
    """The rows of a split in the test form by id: their `id` where they have one, else the row, from 0.

    Raises:
        UserError: The file can't be used, or an id stands in it twice.
    """
    tests: dict[Id, Test] = {}
    for row, test in enumerate(read(golds, TEST)):
        name = gold_id(test, row)
        if name in tests:
            raise UserError(f"the id {name!r} stands here twice", file=golds, row=row + 1, field="id")
        tests[name] = test
    return tests


def read_outputs(
    path: str | RowSource, golds: str | RowSource | None, *, partial: bool
) -> tuple[list[Output], list[str] | None]:
    """The rows of outputs, and the gold answer of each; None for the answers if no golds are given.

    Joined by id. Where outputs have text ids and the golds none, the n-th output goes with the n-th
    gold, and `partial` does not help. Either way the golds must be those of the split that was asked: a
    row's prompt holds the question of its gold.

    Args:
        path: `output.jsonl`.
        golds: The split in the test form; None if no gold is known.
        partial: Whether golds may be without an output.

    Raises:
        UserError: An id has no gold or comes twice, there are not as many outputs as golds, or no prompt
            holds the question of its gold.
    """
    outputs = list(read(path, OUTPUT))
    if not outputs:
        raise UserError("holds no rows", file=path)
    if golds is None:
        return outputs, None
    tests = read_golds(golds)
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
    return outputs, [test["answer"] for test in joined]


def _refuse_other_questions(
    outputs: Sequence[Output], joined: Sequence[Test], path: str | RowSource, golds: str | RowSource
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


def gold_id(test: Test, row: int) -> Id:
    """Return the id of a question in the test form: its own, or else its row, counted from 0."""
    name = test.get("id", row)
    return name if isinstance(name, (int, str)) else row


def _by_id(
    outputs: Sequence[Output], tests: Mapping[Id, Test], path: str | RowSource, golds: str | RowSource
) -> list[Test]:
    for row, output in enumerate(outputs, 1):
        name = output["id"]
        if name not in tests:
            raise UserError(f"{golds} has no gold for the id {name!r}", file=path, row=row, field="id")
    return [tests[output["id"]] for output in outputs]
