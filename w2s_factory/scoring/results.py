"""Scoring of responses in memory: their final answers, and whether these equal the golds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any, TypeVar

from w2s_factory.answers.comparison import comparison, decide
from w2s_factory.errors import HookError, UserError, shown
from w2s_factory.quantities import TIMEOUT, Timeout, Workers
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from w2s_factory.tasks import Task

    Pair = tuple[str, str]

TextT = TypeVar("TextT", str, "str | None", bool)

_UNKNOWN = (None, None)
"""The verdict and the limit of a response whose gold is not known."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A scored response.

    Attributes:
        pred: The final answer, normalised; empty if there is none.
        gold: The gold answer, normalised; empty if it is not known.
        result: Whether they are equal; None if the gold is not known.
        limit: The limit that ended the comparison (see `answers.limits.Verdict`), so that `result` is False;
            None if none did.
    """

    pred: str
    gold: str
    result: bool | None
    limit: str | None = None


def score_response(
    task: Task | str,
    response: str,
    answer: str,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: Timeout = TIMEOUT,
) -> Scored:
    """Score one response. For many, `score_responses` is much faster.

    Args:
        task: A task, or its name.
        response: The text that the model wrote.
        answer: The gold answer as written in the task's test rows.
        mode: `published`, `symbolic` or `math-verify`.
        answer_key: The text that precedes the final answer, if not the task's own.
        any_format: Whether to take the final answer in any format (`Task.extract_any`).
        timeout: The most seconds that the comparison may take.

    Raises:
        UserError: The task or mode does not exist, a package that the mode needs is missing, or an argument
            is not text.
    """
    return score_responses(
        task,
        [_text("response", response)],
        [_text("answer", answer)],
        mode,
        answer_key=answer_key,
        any_format=any_format,
        timeout=timeout,
        workers=1,
    )[0]


def score_responses(
    task: Task | str,
    responses: Iterable[str],
    answers: Iterable[str] | None,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
) -> list[Scored]:
    """Score responses, each against the answer at the same place.

    Each distinct pair of answers is compared once. Pairs that are not decided at once are compared in
    worker processes (`workers`, by default as many as cores), for at most `timeout` seconds each. There is
    no verdict on a response whose gold the task does not know (`Task.normalise_gold`), nor on any if
    `answers` is None.

    Raises:
        UserError: As `score_response`; a response or an answer is not text; there are not as many answers
            as responses; or the mode is not `published`, and golds hold more than an answer
            (`Task.is_answer`).
    """
    task = get_task(task)
    responses = texts_of("responses", responses)
    if answers is None:
        return _without_golds(task, responses, answer_key, any_format=any_format)
    answers = texts_of("answers", answers)
    if len(responses) != len(answers):
        problem = f"expected as many answers as responses ({len(responses):,}), got {len(answers):,}"
        raise UserError(problem, field="answers")
    extract = _extraction(task, answer_key, any_format=any_format)
    how = comparison(mode, task.comparison)
    if mode != "published":
        _refuse_more_than_answers(task, answers, mode)
    golds = dict(zip(answers, _each_row(task.normalise_gold, answers), strict=True))
    written = list(zip(_each_row(extract, responses), answers, strict=True))
    preds = _each_row(task.normalise, [pred for pred, _ in written])
    normal = [(pred, golds[answer] or "") for pred, answer in zip(preds, answers, strict=True)]
    compared = written if how.as_written else normal
    known = [golds[answer] is not None for answer in answers]
    try:
        verdicts = decide(compress(compared, known), how, timeout=timeout, workers=workers)
    except UserError as error:
        raise error.at(row=row_of(error, compared)) from error
    return [
        Scored(pred, gold, *(verdicts[pair] if is_known else _UNKNOWN))
        for (pred, gold), pair, is_known in zip(normal, compared, known, strict=True)
    ]


def score_known(
    task: Task,
    responses: Sequence[str],
    answers: Sequence[str | None],
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
) -> list[Scored]:
    """Score responses as `score_responses` does, where an answer of None is a gold that is not known.

    Such a response gets its final answer and no verdict.

    Raises:
        UserError: As `score_responses`.
    """
    score = partial(
        score_responses, task, mode=mode, answer_key=answer_key, any_format=any_format, timeout=timeout
    )
    known = [place for place, answer in enumerate(answers) if answer is not None]
    unknown = [place for place, answer in enumerate(answers) if answer is None]
    golds = [answer for answer in answers if answer is not None]
    found: dict[int, Scored] = {}
    for places, theirs in ((known, golds), (unknown, None)):
        if not places:
            continue
        try:
            scored = score([responses[place] for place in places], theirs, workers=workers)
        except UserError as error:
            raise error if error.row is None else error.at(row=places[error.row - 1] + 1) from error
        found |= dict(zip(places, scored, strict=True))
    return [found[place] for place in range(len(answers))]


def _extraction(task: Task, answer_key: str | None, *, any_format: bool) -> Callable[[str], str]:
    """Return the function that takes the final answer out of a response."""
    if any_format and answer_key is not None:
        problem = "cannot be combined with answers in any format, which need no key"
        raise UserError(problem, field="--answer-key", hint="Leave one out")
    if answer_key is not None:
        _text("answer_key", answer_key)
    return task.extract_any if any_format else partial(task.extract, answer_key=answer_key)


def _without_golds(
    task: Task, responses: Sequence[str], answer_key: str | None, *, any_format: bool
) -> list[Scored]:
    """Return the final answer of each response, without verdicts."""
    extract = _extraction(task, answer_key, any_format=any_format)
    preds = _each_row(task.normalise, _each_row(extract, responses))
    return [Scored(pred, "", *_UNKNOWN) for pred in preds]


def at_its_row(error: UserError, file: object, rows: Sequence[Mapping[str, Any]]) -> UserError:
    """Return an error with the file and the id of the row that it names; unchanged if it names none."""
    return error if error.row is None else error.at(file=file, name=rows[error.row - 1]["id"])


def row_of(error: UserError, pairs: Sequence[Pair]) -> int | None:
    """Return the first row, counted from 1, whose pair failed to be compared; None if no pair did."""
    arguments = error.arguments if isinstance(error, HookError) else None
    return next((row for row, pair in enumerate(pairs, 1) if pair == arguments), None)


def _each_row(method: Callable[[str], TextT], texts: Sequence[str]) -> list[TextT]:
    """Return a task's value for each text; the method is called once for each distinct text.

    Raises:
        UserError: The method fails; names the row, counted from 1.
    """
    found: dict[str, TextT] = {}
    for row, text in enumerate(texts, 1):
        if text not in found:
            try:
                found[text] = method(text)
            except UserError as error:
                if error.field is not None:  # an option that the task does not have, not a row's mistake
                    raise
                raise error.at(row=row) from error
    return [found[text] for text in texts]


def texts_of(name: str, texts: Any) -> list[str]:
    """Return texts as a list, from any iterable but a single text.

    Raises:
        UserError: It is not such an iterable, or an item is not text; names its row, counted from 1.
    """
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise UserError(f"expected a list of texts, got {shown(texts)}", field=name)
    rows = list(texts)
    for row, text in enumerate(rows, 1):
        if not isinstance(text, str):
            raise UserError(f"expected text, got {shown(text)}", row=row, field=name)
    return rows


def _text(name: str, text: Any) -> str:
    """Return an argument that must be text.

    Raises:
        UserError: It is not text.
    """
    if not isinstance(text, str):
        raise UserError(f"expected text, got {shown(text)}", field=name)
    return text


def _refuse_more_than_answers(task: Task, golds: Sequence[str], mode: str) -> None:
    """Refuse golds that hold more than an answer in a mode that compares texts: nothing would equal them."""
    more = sum(not is_answer for is_answer in _each_row(task.is_answer, golds))
    if more:
        raise UserError(
            f"{more:,} gold answers of {task.name} hold more than one answer, which {mode} cannot compare",
            field="mode",
            hint="Use the mode published",
        )
