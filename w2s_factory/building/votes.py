"""Joining votes with the weak model's responses, refusing what does not belong together."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from w2s_factory.building.joining import SAME_SPLIT, asks_the_same, final_answer, rows_by_id
from w2s_factory.building.pairs import Weak, majority_answer
from w2s_factory.errors import UserError
from w2s_factory.records import OUTPUT, SFT, VOTE, Form, read, read_placed
from w2s_factory.scoring.equality import equality

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.records import Id, Place, Result, RowSource, Sft, Vote
    from w2s_factory.scoring.equality import Equality
    from w2s_factory.tasks import Task


def weak_responses(task: Task, source: RowSource) -> dict[Id, Weak]:
    """The weak model's responses by id, from its results or from its full weak data.

    Full weak data has no `pred`: there the final answer is extracted as the task does it.

    Raises:
        UserError: The file is neither, or has a duplicate id.
    """
    if _is_full_weak(source):
        full_weak = rows_by_id(source, SFT)
        return {
            name: Weak(row["content"], row["output"], _extracted(task, place, row), None)
            for name, (place, row) in full_weak.items()
        }
    results: dict[Id, tuple[Place, Result]] = rows_by_id(source, task.results_form)
    return {
        name: Weak(row["prompt"], row["response"], final_answer(task, row, source), row.get("result"))
        for name, (_, row) in results.items()
    }


def _extracted(task: Task, place: Place, row: Sft) -> str:
    try:
        return task.normalise(task.extract(row["output"]))
    except UserError as error:
        raise place.locate(error, row["id"]) from error


def weak_texts(source: RowSource) -> dict[Id, str]:
    """The weak model's responses by id, as text only: also from outputs that were never scored.

    Raises:
        UserError: The file is neither outputs nor full weak data, or has a duplicate id.
    """
    if _is_full_weak(source):
        return {name: row["output"] for name, (_, row) in rows_by_id(source, SFT).items()}
    return {name: row["response"] for name, (_, row) in rows_by_id(source, OUTPUT).items()}


def joined(weak: dict[Id, Weak], votes: RowSource, source: RowSource) -> Iterator[tuple[Weak, Vote]]:
    """Each vote with its weak response, in the order of the votes.

    Raises:
        UserError: A vote has no weak response or answers another question, a weak response no vote; an
            id is a duplicate, a confidence is not a share, or a vote has no majority.
    """
    left = dict(weak)
    for place, vote in read_placed(votes, VOTE):
        name = vote["id"]
        if name not in weak:
            raise place.error(f"the id {name!r} is not in {source}", field="id", hint=SAME_SPLIT)
        if name not in left:
            raise place.error(f"duplicate id {name!r}", field="id")
        _check(place, vote)
        response = left.pop(name)
        if not asks_the_same(vote["prompt"], response.prompt):
            raise place.error(
                f"the id {name!r} names another question in {source}", field="prompt", hint=SAME_SPLIT
            )
        yield response, vote
    for name in islice(left, 1):
        raise UserError(f"the id {name!r} of {source} has no vote", file=votes, hint=SAME_SPLIT)


def compared(questions: Iterable[tuple[Weak, Vote]]) -> Iterator[tuple[Id, tuple[str, str]]]:
    """Yield the id of each question with the two answers compared: the weak one and the majority's."""
    return ((vote["id"], (weak.pred, majority_answer(vote))) for weak, vote in questions)


def vote_equality(task: Task, questions: Iterable[tuple[Weak, Vote]]) -> Equality:
    """Return the equality of each question's weak answer and its majority's."""
    return equality(task, (pair for _, pair in compared(questions)))


def _is_full_weak(source: RowSource) -> bool:
    rows: Iterator[dict[str, Any]] = read(source, Form("rows", {}))
    return any("content" in row for row in islice(rows, 1))


def _check(place: Place, vote: Vote) -> None:
    if not 0 <= vote["confidence"] <= 1:
        raise place.error(f"expected a share from 0 to 1, got {vote['confidence']}", field="confidence")
    if not vote["pos_responses"]:
        raise place.error("holds no response with the majority answer", field="pos_responses")
    for pool in ("pos_responses", "neg_responses"):
        for sample in vote[pool]:
            if not _is_sample(sample):
                raise place.error("expected objects with texts response and pred, and result", field=pool)


def _is_sample(sample: Any) -> bool:
    """Whether it is a `Sample`; `result` is missing where the gold is not known."""
    if not isinstance(sample, dict):
        return False
    texts = (sample.get("response"), sample.get("pred"))
    return all(isinstance(text, str) for text in texts) and isinstance(sample.get("result", False), bool)
