"""Responses against golds: the final answers, and whether they are right."""

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
"""Neither a verdict nor a limit."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A scored response.

    Attributes:
        pred: Its final answer, normalised; empty if there is none.
        gold: The gold answer, normalised; empty if it is not known.
        result: Whether they are equal; None where the gold is not known.
        limit: The limit that ended the comparison (see `limits.Verdict`): then `result` is False.
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
        response: What the model wrote.
        answer: The gold answer as written in the task's test rows.
        mode: `published`, `symbolic` or `math-verify`.
        answer_key: What precedes the final answer, if not the task's own.
        any_format: Take the final answer in whatever format it was given (`Task.extract_any`).
        timeout: Seconds the comparison may take.

    Raises:
        UserError: There is no such task or mode, a package the mode needs is missing, or an argument is not
            text.
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
    """Score responses, each against the answer in its place.

    Each distinct pair of answers is compared once. What can't be decided at once is compared in
    worker processes (`workers`, one a core by default), for at most `timeout` seconds a pair. Where the
    task does not know the gold (`normalise_gold`) there is no verdict, and nowhere if `answers` is None.

    Raises:
        UserError: As `score_response`; a response or an answer is not text; there are not as many answers
            as responses; or a mode other than `published` is asked about golds that say more than an answer
            (`Task.is_answer`).
    """
    task = get_task(task)
    responses = texts_of("responses", responses)
    if answers is None:
        return _without_golds(task, responses, answer_key, any_format=any_format)
    answers = texts_of("answers", answers)
    if len(responses) != len(answers):
        raise UserError(f"{len(responses)} responses but {len(answers)} answers")
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
    **options: Any,
) -> list[Scored]:
    """Score responses as `score_responses` does, where an answer may be None: its gold is not known.

    Such a response gets its final answer and no verdict.

    Raises:
        UserError: As `score_responses`.
    """
    known = [place for place, answer in enumerate(answers) if answer is not None]
    unknown = [place for place, answer in enumerate(answers) if answer is None]
    golds = [answer for answer in answers if answer is not None]
    found: dict[int, Scored] = {}
    for chosen, theirs in ((known, golds), (unknown, None)):
        if not chosen:
            continue
        try:
            scored = score_responses(task, [responses[n] for n in chosen], theirs, mode, **options)
        except UserError as error:
            raise error if error.row is None else error.at(row=chosen[error.row - 1] + 1) from error
        found |= dict(zip(chosen, scored, strict=True))
    return [found[place] for place in range(len(answers))]


def _extraction(task: Task, answer_key: str | None, *, any_format: bool) -> Callable[[str], str]:
    if any_format and answer_key is not None:
        raise UserError("an answer key and answers in any format exclude each other", field="--answer-key")
    if answer_key is not None:
        _text("answer_key", answer_key)
    return task.extract_any if any_format else partial(task.extract, answer_key=answer_key)


def _without_golds(
    task: Task, responses: Sequence[str], answer_key: str | None, *, any_format: bool
) -> list[Scored]:
    """Return the final answers of responses, without verdicts."""
    extract = _extraction(task, answer_key, any_format=any_format)
    preds = _each_row(task.normalise, _each_row(extract, responses))
    return [Scored(pred, "", *_UNKNOWN) for pred in preds]


def at_its_row(error: UserError, file: object, rows: Sequence[Mapping[str, Any]]) -> UserError:
    """Return an error that names a row, if it does, with the file of the rows and the row's id."""
    return error if error.row is None else error.at(file=file, name=rows[error.row - 1]["id"])


def row_of(error: UserError, pairs: Sequence[Pair]) -> int | None:
    """Return the first row, from 1, whose pair a failed comparison had; None if it names none."""
    arguments = error.arguments if isinstance(error, HookError) else None
    return next((row for row, pair in enumerate(pairs, 1) if pair == arguments), None)


def _each_row(method: Callable[[str], TextT], texts: Sequence[str]) -> list[TextT]:
    """Return what a task's method gives for each text, each distinct one asked once; errors name the row."""
    found: dict[str, TextT] = {}
    for row, text in enumerate(texts, 1):
        if text not in found:
            try:
                found[text] = method(text)
            except UserError as error:
                if error.field is not None:  # an option that the task does not have: no row's mistake
                    raise
                raise error.at(row=row) from error
    return [found[text] for text in texts]


def texts_of(name: str, texts: Any) -> list[str]:
    """Return texts as a list; anything that can be iterated is taken, a single text is not.

    Raises:
        UserError: One of them is not text; with its row, counted from 1.
    """
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise UserError(f"expected a list of texts, got {shown(texts)}", field=name)
    rows = list(texts)
    for row, text in enumerate(rows, 1):
        if not isinstance(text, str):
            raise UserError(f"expected text, got {shown(text)}", row=row, field=name)
    return rows


def _text(name: str, text: Any) -> str:
    """Return the one text that an argument must be.

    Raises:
        UserError: It is not text.
    """
    if not isinstance(text, str):
        raise UserError(f"expected text, got {shown(text)}", field=name)
    return text


def _refuse_more_than_answers(task: Task, golds: Sequence[str], mode: str) -> None:
    """Other modes compare texts: to them such a gold is a text that nothing equals."""
    more = sum(not is_answer for is_answer in _each_row(task.is_answer, golds))
    if more:
        raise UserError(
            f"{more:,} golds of {task.name} say more than an answer, which {mode} can't compare",
            field="mode",
            hint="Use the mode published",
        )
