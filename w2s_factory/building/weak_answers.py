"""The weak model's answers for Stage II: read from its results or full weak data, and judged by the votes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from w2s_factory.building.joining import (
    SAME_SPLIT,
    distinct_rows,
    naming_questions,
    rows_by_id,
)
from w2s_factory.building.pairs import WeakAnswer, judge_votes, majority_answer
from w2s_factory.building.prompt_form import zero_shot
from w2s_factory.building.response_rule import ResponseRule, trainable_texts
from w2s_factory.errors import UserError
from w2s_factory.ranges import Share, problem
from w2s_factory.records import ANY, OUTPUT, SFT, VOTE, read
from w2s_factory.scoring.noted_way import noted_way
from w2s_factory.scoring.unused_markers import check_markers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.answers.thinking import Markers
    from w2s_factory.building.pairs import Judged
    from w2s_factory.quantities import PairRules
    from w2s_factory.records import Id, Place, RowSource, Sample, Vote
    from w2s_factory.tasks import Task


def weak_responses(
    task: Task, source: RowSource, response_rule: ResponseRule, votes: RowSource
) -> dict[Id, WeakAnswer]:
    """Return the weak model's responses by id, from its results or from its full weak data.

    Full weak data has no `pred`; there the final answers are found in the responses.

    Args:
        task: The task.
        source: The results or the full weak data.
        response_rule: How responses are read.
        votes: The votes; answers of full weak data are found as those were.

    Raises:
        UserError: The file is neither, or has a duplicate id.
    """
    full_weak = is_full_weak(source)
    rows: list[dict[str, Any]]
    if full_weak:
        rows = [
            {"id": row["id"], "prompt": row["content"], "response": row["output"]}
            for _, row in distinct_rows(source, SFT)
        ]
        response_rule = response_rule.of_full_weak(source, votes)
    else:
        response_rule = response_rule.of(source)
        rows = [row for _, row in distinct_rows(source, response_rule.form(task))]
    check_markers(response_rule.markers, [(source, rows)])
    answers = response_rule.answers(task, rows, source, scored=not full_weak)
    return {
        row["id"]: WeakAnswer(
            row["prompt"],
            response_rule.text(row),
            *answer,
            row.get("result") if row.get("pred", answer.pred) == answer.pred else None,
        )
        for row, answer in zip(rows, answers, strict=True)
    }


def weak_texts(source: RowSource, markers: Markers | None = None) -> dict[Id, set[str]]:
    """Return the texts of the weak model's responses by id, also from outputs that were never scored.

    Each response has those on which a model may be trained: the whole one, and its answer.

    Args:
        source: The outputs, results or full weak data.
        markers: The markers of thinking; None for those by which the responses were scored.

    Raises:
        UserError: The file is neither outputs nor full weak data, or has a duplicate id.
    """
    rows: dict[Id, Mapping[str, Any]]
    if is_full_weak(source):
        rows = {name: {"response": row["output"]} for name, (_, row) in rows_by_id(source, SFT).items()}
    else:
        rows = {name: row for name, (_, row) in rows_by_id(source, OUTPUT).items()}
    markers = noted_way(source).markers if markers is None else markers
    return {name: {row["response"], *trainable_texts(row, markers)} for name, row in rows.items()}


def joined_votes(
    task: Task, weak: RowSource, votes: RowSource, response_rule: ResponseRule | None = None
) -> Iterator[tuple[WeakAnswer, Vote]]:
    """Yield each vote with the weak model's response to its question, in the order of the votes.

    Args:
        task: The task.
        weak: The weak model's results or full weak data.
        votes: The majority file.
        response_rule: How responses are read; the published way if None.

    Raises:
        UserError: A vote has no weak response or a weak response no vote, they answer different questions,
            an id is a duplicate, a confidence is not a share, or a vote has no majority.
    """
    responses = weak_responses(task, weak, response_rule or ResponseRule(), votes)
    left = dict(responses)
    for place, vote in distinct_rows(votes, VOTE):
        name = vote["id"]
        if name not in responses:
            raise place.error(f"the id {name!r} is not in {weak}", field="id", hint=SAME_SPLIT)
        _check(place, vote)
        response = left.pop(name)
        if zero_shot(task, vote["prompt"], response.prompt) is None:
            raise place.error(
                f"the id {name!r} is that of another question in {weak}", field="prompt", hint=SAME_SPLIT
            )
        yield response, vote
    for name in islice(left, 1):
        raise UserError(f"the id {name!r} of {weak} has no vote", file=votes, hint=SAME_SPLIT)


def judge_answers(
    task: Task,
    questions: Sequence[tuple[WeakAnswer, Vote]],
    rules: PairRules,
    votes: RowSource,
    response_rule: ResponseRule | None = None,
) -> tuple[list[Judged], int]:
    """Judge weak answers by the votes on their questions, as the task compares answers.

    Args:
        task: The task that says when two answers are equal.
        questions: The questions, as `joined_votes` yields them.
        rules: The thresholds, the number of pairs and the seed.
        votes: The file of the votes, for messages.
        response_rule: How responses are read; the published way if None.

    Returns:
        The judgement of each question, and the number of comparisons that a limit of time or memory ended.

    Raises:
        UserError: The task's comparison fails; names the question.
    """
    response_rule = (response_rule or ResponseRule()).of(votes)
    majorities = _majority_answers(task, [vote for _, vote in questions], votes, response_rule)
    texts = {vote["id"]: (weak.compared, majorities[vote["id"]]) for weak, vote in questions}

    def text(sample: Sample) -> str | None:
        return response_rule.text(sample)

    with naming_questions(texts.items(), votes):
        equal = response_rule.equality(task, texts.values())
        judged = judge_votes(
            questions,
            rules,
            lambda _, vote: equal(*texts[vote["id"]]),
            text,
            unlike=response_rule.train_on == "answer",
        )
        return list(judged), equal.limits


def _majority_answers(
    task: Task, votes: Sequence[Vote], file: RowSource, response_rule: ResponseRule
) -> dict[Id, str]:
    """Return the text by which each vote's majority answer is compared, by id.

    Raises:
        UserError: Answers are found again, and not as they were for a vote; names its id.
    """
    if not response_rule.reads_again:
        return {vote["id"]: majority_answer(vote) for vote in votes}
    samples = [{"id": vote["id"], **vote["pos_responses"][0]} for vote in votes]
    answers = response_rule.answers(task, samples, file)
    for sample, answer in zip(samples, answers, strict=True):
        if answer.pred != sample["pred"]:
            raise UserError(
                f"id {sample['id']!r}: the votes are on {sample['pred'] or 'no answer'!r}, "
                f"where {answer.pred or 'no answer'!r} is found now",
                file=file,
                field="pred",
                hint="Vote with the same --extract: w2s-factory vote",
            )
    return {vote["id"]: answer.compared for vote, answer in zip(votes, answers, strict=True)}


def is_full_weak(source: RowSource) -> bool:
    """Return whether the first row of a file is one of full weak data."""
    return "content" in next(read(source, ANY), {})


def _check(place: Place, vote: Vote) -> None:
    """Check what the form of a vote does not: its confidence and its samples.

    Raises:
        UserError: The confidence is not a share, or the vote has no majority or a wrong sample.
    """
    if wrong := problem(vote["confidence"], Share):
        raise place.error(wrong, field="confidence")
    if not vote["pos_responses"]:
        raise place.error("expected at least one majority response, got none", field="pos_responses")
    for pool in ("pos_responses", "neg_responses"):
        if not all(map(_is_sample, vote[pool])):
            raise place.error(
                "expected objects with response and pred (text) and result (true or false)", field=pool
            )


def _is_sample(sample: Any) -> bool:
    """Return whether a value is a `Sample`, whose `result` is missing if the gold is not known."""
    if not isinstance(sample, dict):
        return False
    texts = (sample.get("response"), sample.get("pred"))
    return all(isinstance(text, str) for text in texts) and isinstance(sample.get("result", False), bool)
