"""Responses against golds: the final answers, and whether they are right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any, cast

from w2s_factory.errors import UserError
from w2s_factory.scoring.limits import Verdict, exceeded
from w2s_factory.scoring.modes import comparison

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from w2s_factory.scoring.modes import Comparison
    from w2s_factory.scoring.scorable import Scorable

    Pair = tuple[str, str]

_UNKNOWN = (None, None)
"""Neither a verdict nor a limit."""

TIMEOUT = 5.0
"""Seconds a comparison may take."""


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
    task: Scorable,
    response: str,
    answer: str,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: float = TIMEOUT,
) -> Scored:
    """Score one response. For many, `score_responses` is much faster.

    Args:
        task: A task (as `w2s_factory.score_response`: or its name).
        response: What the model wrote.
        answer: The gold answer as written in the task's test rows.
        mode: `published`, `symbolic` or `math-verify`.
        answer_key: What precedes the final answer, if not the task's own.
        any_format: Take the final answer in whatever format it was given (`Task.extract_any`).
        timeout: Seconds the comparison may take.

    Raises:
        UserError: There is no such task or mode, or a package the mode needs is missing.
    """
    return score_responses(
        task,
        [response],
        [answer],
        mode,
        answer_key=answer_key,
        any_format=any_format,
        timeout=timeout,
        workers=1,
    )[0]


def score_responses(
    task: Scorable,
    responses: Sequence[str],
    answers: Sequence[str],
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: float = TIMEOUT,
    workers: int | None = None,
) -> list[Scored]:
    """Score responses, each against the answer in its place.

    Each distinct pair of answers is compared once. What can't be decided at once is compared in
    worker processes (`workers`, one a core by default), for at most `timeout` seconds a pair. Where the
    task does not know the gold (`normalise_gold`) there is no verdict.

    Raises:
        UserError: As `score_response`; there are not as many answers as responses; or a mode other than
            `published` is asked about golds that say more than an answer (`Task.is_answer`).
    """
    if len(responses) != len(answers):
        raise UserError(f"{len(responses)} responses but {len(answers)} answers")
    if any_format and answer_key is not None:
        raise UserError("an answer key and answers in any format exclude each other", field="--answer-key")
    how = comparison(mode, task)
    if mode != "published":
        _refuse_more_than_answers(task, answers, mode)
    extract = task.extract_any if any_format else partial(task.extract, answer_key=answer_key)
    golds = {answer: task.normalise_gold(answer) for answer in dict.fromkeys(answers)}
    written = [(extract(text), answer) for text, answer in zip(responses, answers, strict=True)]
    normal = [(task.normalise(pred), golds[answer] or "") for pred, answer in written]
    compared = written if how.as_written else normal
    known = [golds[answer] is not None for answer in answers]
    verdicts = decide(compress(compared, known), how, timeout=timeout, workers=workers)
    return [
        Scored(pred, gold, *(verdicts[pair] if is_known else _UNKNOWN))
        for (pred, gold), pair, is_known in zip(normal, compared, known, strict=True)
    ]


def score_known(
    task: Scorable,
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
    if None not in answers:
        return score_responses(task, responses, cast("Sequence[str]", answers), mode, **options)
    known = [(text, answer) for text, answer in zip(responses, answers, strict=True) if answer is not None]
    texts, golds = [text for text, _ in known], [answer for _, answer in known]
    scored = iter(score_responses(task, texts, golds, mode, **options))
    any_format, answer_key = options.get("any_format", False), options.get("answer_key")
    extract = task.extract_any if any_format else partial(task.extract, answer_key=answer_key)
    return [
        Scored(task.normalise(extract(text)), "", None) if answer is None else next(scored)
        for text, answer in zip(responses, answers, strict=True)
    ]


def _refuse_more_than_answers(task: Scorable, golds: Sequence[str], mode: str) -> None:
    """Other modes compare texts: to them such a gold is a text that nothing equals."""
    more = sum(not task.is_answer(gold) for gold in golds)
    if more:
        raise UserError(
            f"{more:,} golds of {task.name} say more than an answer, which {mode} can't compare",
            field="mode",
            hint="Use the mode published",
        )


def decide(
    pairs: Iterable[Pair], how: Comparison, *, timeout: float = TIMEOUT, workers: int | None = None
) -> dict[Pair, Verdict]:
    """The verdict on each distinct pair of prediction and gold."""
    verdicts = {pair: _at_once(pair, how) for pair in dict.fromkeys(pairs)}
    left = [pair for pair, verdict in verdicts.items() if verdict is None]
    if left:
        from w2s_factory.scoring import workers as processes  # noqa: PLC0415  most need none

        with processes.imports():
            how.prepare()
        verdicts.update(processes.run(how.slow, left, timeout=timeout, workers=workers))
    return verdicts  # type: ignore[return-value]  # none is left open


def _at_once(pair: Pair, how: Comparison) -> Verdict | None:
    if how.parses and (limit := exceeded(pair[0]) or exceeded(pair[1])):
        return Verdict(False, limit)
    result = how.quick(*pair)
    return None if result is None else Verdict(result)
