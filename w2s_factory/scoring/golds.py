"""Golds of a split, and responses joined with them."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, Form, RowIndex, StoredRows, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        answer_key: As `index_golds` takes it.

    Raises:
        UserError: As `index_golds`.
    """
    index = index_golds(golds, answer_key)
    return dict(zip(index.numbers, index.rows(), strict=True))


def index_golds(golds: str | RowSource, answer_key: str = "") -> RowIndex[Gold]:
    """Return the rows of a split in the test form, with their numbers by id (see `gold_id`).

    Args:
        golds: The file, or its rows.
        answer_key: The text that precedes the answer in a solution. A raw row is recognised by it: its answer
            is a whole solution.

    Raises:
        UserError: The file cannot be read, it has a duplicate id, only some rows have an answer, or a row is
            a raw one.
    """
    answered: bool | None = None

    def check(test: Gold, place: Place) -> None:
        nonlocal answered
        answered = "answer" in test if answered is None else answered
        if ("answer" in test) is not answered:
            problem = "is missing, but the rows before have one"
            if not answered:
                problem = "expected no answer, as in the rows before, got one"
            raise place.error(problem, field="answer", hint="Write null for an answer that is not known")
        if answer_key and "solution" not in test and answer_key in (test.get("answer") or ""):
            hint = "Turn raw rows into the test form with w2s-factory build-data --stage test"
            raise place.error("expected an answer, got a whole solution", field="answer", hint=hint)

    return RowIndex(golds if isinstance(golds, Table) else Path(golds), GOLDS, gold_id, check)


class JoinedOutputs:
    """The rows of outputs with the gold answer of each, None if it is not known.

    They are read again whenever they are iterated over. Rows are joined by id. If the outputs have text ids
    and the golds have none, they are joined by place, and `partial` is ignored. Either way the golds must be
    those of the questions that were asked: prompts hold the question of their gold.

    Args:
        path: `output.jsonl`, or its rows.
        golds: The split in the test form; None if no gold is known.
        partial: Whether golds may be without an output.
        answer_key: As `index_golds` takes it.

    Raises:
        UserError: An id has no gold or is a duplicate, there are not as many outputs as golds, or no prompt
            holds the question of its gold.
    """

    def __init__(
        self, path: RowSource, golds: RowSource | None, *, partial: bool, answer_key: str = ""
    ) -> None:
        self._outputs: StoredRows[Output] = StoredRows(path, OUTPUT).scanned()
        self._golds: RowIndex[Gold] | None = None
        self._partners: Sequence[int] = ()
        if not len(self._outputs):
            raise UserError("holds no rows", file=path)
        if golds is None:
            return
        tests = self._golds = index_golds(golds, answer_key)
        in_order = self._has_text_ids() and _are_row_numbers(tests.numbers)
        outputs = len(self._outputs)
        if outputs != len(tests) and (in_order or not partial):
            raise UserError(
                f"expected as many rows as {golds} has ({len(tests):,}), got {outputs:,}",
                file=path,
                hint="To score a part of a split, use --partial" if outputs < len(tests) else OTHER_SPLIT,
            )
        partners = self._numbers(tests.numbers)
        self._partners = range(outputs) if in_order else partners
        if not in_order and (missing := _first_missing(partners)) is not None:
            [row] = self._outputs.rows([missing])
            problem = f"the id {row['id']!r} is not in {golds}"
            raise self._outputs.place(missing).error(problem, field="id", hint=OTHER_SPLIT)
        tests.numbers.clear()  # the partners are enough from now on
        self._refuse_other_questions(path, golds)

    def __len__(self) -> int:
        return len(self._outputs)

    def __iter__(self) -> Iterator[tuple[Output, str | None]]:
        if self._golds is None:
            yield from ((output, None) for output in self.rows())
            return
        for output, test in zip(self.rows(), self._golds.rows(self._partners), strict=True):
            yield output, test.get("answer")

    def rows(self) -> Iterator[Output]:
        """Yield the outputs.

        Raises:
            UserError: The file has changed since it was first read.
        """
        return self._outputs.rows()

    def _has_text_ids(self) -> bool:
        return any(isinstance(output["id"], str) for output in self._outputs.rows([0]))

    def _numbers(self, numbers: Mapping[Id, int]) -> array[int]:
        """Return the number of each output's gold by id, -1 if there is none.

        Raises:
            UserError: An id is a duplicate. Rows joined by place are refused for it, too: their results could
                not be evaluated.
        """
        partners, taken = array("q"), bytearray(len(numbers))
        others: set[Id] = set()
        for row, output in enumerate(self.rows()):
            name = output["id"]
            number = numbers.get(name, -1)
            if taken[number] if number >= 0 else name in others:
                raise self._outputs.place(row).error(f"duplicate id {name!r}", field="id")
            if number >= 0:
                taken[number] = True
            else:
                others.add(name)
            partners.append(number)
        return partners

    def _refuse_other_questions(self, path: RowSource, golds: RowSource) -> None:
        """Refuse golds of another split, to which ids that are row numbers fit, too.

        A single match is enough, since a prompt may word its question in another way.
        """
        tests = self._golds.rows(self._partners) if self._golds else ()
        asked = zip(self.rows(), tests, strict=True)
        if not any(test["question"] in output["prompt"] for output, test in asked):
            raise UserError(
                f"no prompt holds the question that {golds} has for its id",
                file=path,
                field="prompt",
                hint="Check that these golds belong to the split that was asked",
                topic="other-questions",
            )


def _are_row_numbers(ids: Mapping[Id, int]) -> bool:
    """Return whether distinct ids are the numbers of as many rows, counted from 0."""
    return all(isinstance(name, int) and 0 <= name < len(ids) for name in ids)


def _first_missing(partners: array[int]) -> int | None:
    return next((row for row, number in enumerate(partners) if number < 0), None)


def gold_id(test: Mapping[str, Any], row: int) -> Id:
    """Return the id of a question in the test form: its `id`, or else its row, counted from 0."""
    name = test.get("id", row)
    return name if isinstance(name, (int, str)) else row
