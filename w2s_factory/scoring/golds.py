"""Joining responses with the golds of their split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, TEST, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from w2s_factory.records import Id, Output, Test


def read_golds(golds: str | Path) -> dict[Id, Test]:
    """The rows of a split in the test form by id: their `id` where they have one, else the row, from 0.

    Raises:
        UserError: The file can't be used, or an id stands in it twice.
    """
    tests: dict[Id, Test] = {}
    for row, test in enumerate(read(golds, TEST)):
        name = _id(test, row)
        if name in tests:
            raise UserError(f"the id {name!r} stands here twice", file=golds, row=row + 1, field="id")
        tests[name] = test
    return tests


def read_outputs(path: str | Path, golds: str | Path, *, partial: bool) -> tuple[list[Output], list[str]]:
    """The rows of outputs, and the gold answer of each.

    Joined by id. Where outputs have text ids and the golds none, the n-th output goes with the n-th
    gold, and `partial` does not help.

    Args:
        path: `output.jsonl`.
        golds: The split in the test form.
        partial: Whether golds may be without an output.

    Raises:
        UserError: An id has no gold or comes twice, or there are not as many outputs as golds.
    """
    outputs = list(read(path, OUTPUT))
    answers = {name: test["answer"] for name, test in read_golds(golds).items()}
    if not outputs:
        raise UserError("holds no rows", file=path)
    in_order = isinstance(outputs[0]["id"], str) and set(answers) == set(range(len(answers)))
    if len(outputs) != len(answers) and (in_order or not partial):
        raise UserError(
            f"holds {len(outputs)} rows, but {golds} {len(answers)}",
            file=path,
            hint="Score a part of a split with --partial" if len(outputs) < len(answers) else None,
        )
    return outputs, list(answers.values()) if in_order else _by_id(outputs, answers, path, golds)


def _id(test: Test, row: int) -> Id:
    name = test.get("id", row)
    return name if isinstance(name, (int, str)) else row


def _by_id(
    outputs: Sequence[Output], answers: Mapping[Id, str], path: str | Path, golds: str | Path
) -> list[str]:
    seen = set()
    for row, output in enumerate(outputs, 1):
        name = output["id"]
        if name not in answers:
            raise UserError(f"{golds} has no gold for the id {name!r}", file=path, row=row, field="id")
        if name in seen:
            raise UserError(f"the id {name!r} comes twice", file=path, row=row, field="id")
        seen.add(name)
    return [answers[output["id"]] for output in outputs]
