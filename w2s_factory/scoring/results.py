"""Scoring of responses in memory: their final answers, and whether these equal the golds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.comparison import decide
from w2s_factory.errors import HookError, UserError, shown
from w2s_factory.quantities import TIMEOUT, Timeout, Workers
from w2s_factory.scoring.rule import each_row, scoring_rule
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.answers.extraction import Extraction
    from w2s_factory.answers.limits import Verdict
    from w2s_factory.answers.thinking import Markers
    from w2s_factory.scoring.rule import Found, ScoringRule
    from w2s_factory.tasks import Task

    Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Scored:
    """A scored response.

    Attributes:
        pred: The final answer, normalised; empty if there is none.
        gold: The gold answer, normalised; empty if it is not known.
        result: Whether they are equal; None if the gold is not known.
        limit: The limit that ended the comparison (see `answers.limits.Verdict`), so that `result` is False;
            None if none did.
        ended: Whether the thinking ended; False only if there is no answer for that reason.
    """

    pred: str
    gold: str
    result: bool | None
    limit: str | None = None
    ended: bool = True


def score_response(  # noqa: PLR0913  each is an option of the command
    task: Task | str,
    response: str,
    answer: str,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    extraction: str | Extraction | None = None,
    markers: Markers | None = None,
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
        extraction: The way to find the final answer (`answers.extraction.WAYS`); None for the task's own.
        markers: The markers of thinking; None for those recognised by default.
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
        extraction=extraction,
        markers=markers,
        timeout=timeout,
        workers=1,
    )[0]


def score_responses(  # noqa: PLR0913  as above
    task: Task | str,
    responses: Iterable[str],
    answers: Iterable[str] | None,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    extraction: str | Extraction | None = None,
    markers: Markers | None = None,
    opened: Sequence[bool] | None = None,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
) -> list[Scored]:
    """Score responses, each against the answer at the same place.

    Each distinct pair of answers is compared once. Pairs that are not decided at once are compared in
    worker processes (`workers`, by default as many as cores), for at most `timeout` seconds each. There is
    no verdict on a response whose gold the task does not know (`Task.normalise_gold`), nor on any if
    `answers` is None. `opened` says of each response whether its prompt opened the thinking.

    Raises:
        UserError: As `score_response`; a response or an answer is not text; there are not as many answers
            as responses; or the mode is not `published`, and golds hold more than an answer
            (`Task.is_answer`).
    """
    task = get_task(task)
    responses = texts_of("responses", responses)
    if answer_key is not None:
        _text("answer_key", answer_key)
    rule = scoring_rule(
        task, mode, extraction=extraction, markers=markers, answer_key=answer_key, any_format=any_format
    )
    if answers is None:
        return score_by(rule, responses, [None] * len(responses), opened, workers=workers)
    answers = texts_of("answers", answers)
    if len(responses) != len(answers):
        problem = f"expected as many answers as responses ({len(responses):,}), got {len(answers):,}"
        raise UserError(problem, field="answers")
    return score_by(rule, responses, answers, opened, timeout=timeout, workers=workers)


def score_by(
    rule: ScoringRule,
    responses: Sequence[str],
    answers: Sequence[str | None],
    opened: Sequence[bool] | None = None,
    *,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
) -> list[Scored]:
    """Score responses by a rule, as `score_responses` does; an answer of None is a gold that is not known.

    Such a response gets its final answer and no verdict.

    Raises:
        UserError: As `score_responses`.
    """
    named = [answer for answer in answers if answer is not None]
    if named:
        how = rule.comparison
    if rule.mode != "published":
        refuse_more_than_answers(rule.task, named, rule.mode)
    golds = each_row(lambda answer: None if answer is None else rule.task.normalise_gold(answer), answers)
    found = rule.find(responses, opened, workers)
    known = [gold is not None for gold in golds]
    compared = [
        ("", "") if answer is None or gold is None else (rule.compared(each), rule.gold(answer, gold))
        for each, answer, gold in zip(found, answers, golds, strict=True)
    ]
    verdicts = {}
    try:
        if named:
            verdicts = decide(compress(compared, known), how, timeout=timeout, workers=workers)
    except UserError as error:
        raise error.at(row=row_of(error, compared)) from error
    return [
        _scored(each, gold, verdicts.get(pair))
        for each, gold, pair in zip(found, golds, compared, strict=True)
    ]


def _scored(found: Found, gold: str | None, verdict: Verdict | None) -> Scored:
    """Return a scored response; without a verdict if its gold is not known."""
    if gold is None or verdict is None:
        return Scored(found.pred, "", None, ended=found.ended)
    return Scored(found.pred, gold, verdict.result, verdict.limit, found.ended)


def at_its_row(
    error: UserError, file: object, rows: Sequence[Mapping[str, Any]], first: int = 0
) -> UserError:
    """Return an error with the file and the id of the row that it names; unchanged if it names none.

    Args:
        error: The error, which names a row of `rows`, counted from 1.
        file: The file.
        rows: The rows.
        first: The number of rows of the file before these.
    """
    if error.row is None:
        return error
    return error.at(file=file, row=first + error.row, name=rows[error.row - 1]["id"])


def row_of(error: UserError, pairs: Sequence[Pair]) -> int | None:
    """Return the first row, counted from 1, whose pair failed to be compared; None if no pair did."""
    arguments = error.arguments if isinstance(error, HookError) else None
    return next((row for row, pair in enumerate(pairs, 1) if pair == arguments), None)


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


def refuse_more_than_answers(task: Task, golds: Sequence[str], mode: str) -> None:
    """Refuse golds that hold more than an answer in a mode that compares texts: nothing would equal them.

    Raises:
        UserError: There are such golds, or the task's method fails; then it names the row, counted from 1.
    """
    more = sum(not is_answer for is_answer in each_row(task.is_answer, golds))
    if more:
        raise UserError(
            f"{more:,} gold answers of {task.name} hold more than one answer, which {mode} cannot compare",
            field="mode",
            hint="Use the mode published",
        )
