"""From a split's responses on disk to `results.jsonl`, `metrics.json` and `scoring_report.json`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.answers.comparison import comparison
from w2s_factory.errors import UserError
from w2s_factory.folders import outputs_in
from w2s_factory.quantities import TIMEOUT, Timeout, Workers
from w2s_factory.records import ANSWERED, Outputs, Table, is_stdout, rows_of, to_frame
from w2s_factory.scoring.golds import read_outputs
from w2s_factory.scoring.results import at_its_row, score_known
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from w2s_factory.records import Output, RowsLike
    from w2s_factory.scoring.results import Scored
    from w2s_factory.tasks import Task

METRICS: Final = "metrics.json"
REPORT: Final = "scoring_report.json"

_SHOWN = 200
"""Characters of an answer in the report."""


@dataclass(frozen=True)
class ScoreSummary:
    """What `score` found and wrote.

    Attributes:
        rows: Responses, all of which get their `pred`.
        known: Those whose gold is known: the others have neither `gold` nor `result`.
        right: Those whose answer equals the gold.
        empty: Those without a final answer.
        limits: How many comparisons each limit ended, all of them wrong.
        results: The file of the rows, which has the metrics and the report next to it; the rows themselves if
            no output was named.
    """

    rows: int
    known: int
    right: int
    empty: int
    limits: dict[str, int]
    results: Path | Table

    @property
    def accuracy(self) -> float | None:
        """The share of right responses among those whose gold is known; None where none is."""
        return self.right / self.known if self.known else None

    def to_frame(self) -> pd.DataFrame:
        """Return the results as a DataFrame."""
        return to_frame(self.results)


def score(  # noqa: PLR0913  each is an option of the command
    task: Task | str,
    golds: RowsLike | None,
    responses: RowsLike,
    output: str | Path | None = None,
    mode: str = "published",
    *,
    answer_key: str | None = None,
    any_format: bool = False,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
    partial: bool = False,
    force: bool = False,
) -> ScoreSummary:
    """Score a split's responses; write results, metrics and report, and note them in the manifest.

    Without an `output` nothing is written, and the results are in memory.

    Results are the rows of `responses` with `pred`, `gold` and `result`, in their order and with their
    other keys; where the gold is not known, with `pred` alone. Beside them go
    `metrics.json` (`{"acc": x}`, as published; null where no gold is known) and `scoring_report.json`,
    which lists every comparison that a limit ended.

    Args:
        task: A task, or its name.
        golds: The split in the test form (`data/test/gsm8k_train_2.jsonl`), any file of questions that were
            asked, or rows of either: where they have no `answer`, or null, the gold is not known. None if no
            gold is known.
        responses: What a model wrote (`output.jsonl`), or results to be scored again.
        output: The results to write; `-` for the standard output, without metrics and report; None for
            nothing written.
        mode: `published`, `symbolic` or `math-verify`.
        answer_key: What precedes the final answer, if not the task's own.
        any_format: Take the final answer in whatever format it was given (`Task.extract_any`).
        timeout: Seconds a comparison may take.
        workers: Processes that compare at once; by default one a core.
        partial: Whether golds may be without a response.
        force: Overwrite files that hold something else.

    Raises:
        UserError: A file can't be used or joined, there is no such task or mode, or a package is missing.
    """
    task = get_task(task)
    packages = comparison(mode, task.comparison).packages
    responses = rows_of(responses, "responses", outputs_in)
    golds = None if golds is None else rows_of(golds, "golds")
    outputs = Outputs(inputs=[source for source in (responses, golds) if source is not None], force=force)
    alone = output is None or is_stdout(output)
    beside = [] if alone else [Path(str(output)).with_name(name) for name in (METRICS, REPORT)]
    if output is not None:
        outputs.claim(output, *beside)
    rows, answers = read_outputs(responses, golds, partial=partial, answer_key=task.answer_key)
    try:
        scored = score_known(
            task,
            [row["response"] for row in rows],
            answers,
            mode,
            answer_key=answer_key,
            any_format=any_format,
            timeout=timeout,
            workers=workers,
        )
    except UserError as error:
        raise at_its_row(error, responses, rows) from error
    results = Table("results", map(_result, rows, scored)) if output is None else Path(output)
    summary = _summary(scored, results)
    facts: dict[str, Any] = {"task": task.name, "mode": mode, "timeout": timeout}
    if any_format:
        facts["answers"] = "any"
    if answer_key is not None:
        facts["answer_key"] = answer_key
    if output is None:
        return summary
    report = _report(rows, scored, summary, **facts)
    contents = (json.dumps({"acc": summary.accuracy}), json.dumps(report, indent=2) + "\n")
    with outputs:
        producer = f"the task {task.name}, which extracts and normalises answers"
        outputs.rows(output, map(_result, rows, scored), ANSWERED, producer=producer)
        for path, text in zip(beside, contents, strict=False):
            outputs.text(path, text)
        outputs.note(packages=packages, **facts)
    return summary


def _summary(scored: Sequence[Scored], results: Path | Table) -> ScoreSummary:
    return ScoreSummary(
        rows=len(scored),
        known=sum(one.result is not None for one in scored),
        right=sum(one.result is True for one in scored),
        empty=sum(not one.pred for one in scored),
        limits=dict(Counter(one.limit for one in scored if one.limit)),
        results=results,
    )


def _result(row: Output, scored: Scored) -> dict[str, Any]:
    scored_row = {**row, "pred": scored.pred, "gold": scored.gold, "result": scored.result}
    unknown = ("gold", "result") if scored.result is None else ()
    return {key: value for key, value in scored_row.items() if key not in unknown}


def _report(
    rows: Sequence[Output], scored: Sequence[Scored], summary: ScoreSummary, **facts: Any
) -> dict[str, Any]:
    ended = [
        {
            "id": row["id"],
            "limit": one.limit,
            "pred": one.pred[:_SHOWN],
            "pred_length": len(one.pred),
            "gold": one.gold[:_SHOWN],
        }
        for row, one in zip(rows, scored, strict=True)
        if one.limit
    ]
    counts = {"rows": summary.rows, "known": summary.known, "right": summary.right, "empty": summary.empty}
    return {**facts, **counts, "limits": summary.limits, "ended_by_a_limit": ended}
