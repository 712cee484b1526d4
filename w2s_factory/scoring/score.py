"""Scoring of a split's responses: `results.jsonl`, `metrics.json` and `scoring_report.json` (`score`)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.answers.extraction import PUBLISHED
from w2s_factory.answers.thinking import is_opened
from w2s_factory.errors import UserError
from w2s_factory.folders import outputs_in
from w2s_factory.quantities import TIMEOUT, Timeout, Workers
from w2s_factory.records import ANSWERED, Outputs, Table, is_stdout, rows_of, to_frame, together
from w2s_factory.scoring.golds import JoinedOutputs
from w2s_factory.scoring.other_ways import READ, other_way
from w2s_factory.scoring.results import at_its_row, refuse_more_than_answers, score_by
from w2s_factory.scoring.rule import scoring_rule
from w2s_factory.scoring.unused_markers import check_markers
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from w2s_factory.answers.extraction import Extraction
    from w2s_factory.answers.thinking import Markers
    from w2s_factory.records import Output, RowsLike, RowSource
    from w2s_factory.scoring.other_ways import OtherWay
    from w2s_factory.scoring.results import Scored
    from w2s_factory.scoring.rule import ScoringRule
    from w2s_factory.tasks import Task

METRICS: Final = "metrics.json"
REPORT: Final = "scoring_report.json"

_SHOWN = 200
"""The most characters of an answer in the report."""


@dataclass(frozen=True)
class ScoreSummary:
    """The result of `score`: counts, and where the results are.

    Attributes:
        rows: The number of responses, all of which get their `pred`.
        known: The number of those whose gold is known; the others get neither `gold` nor `result`.
        right: The number of those whose answer equals the gold.
        empty: The number of those without a final answer.
        limits: The number of comparisons that each limit ended, by limit; their verdict is wrong.
        results: The file of the rows, next to which are the metrics and the report; the rows themselves if no
            output was named.
        unclosed: The number of those without a final answer because their thinking did not end.
        failed: The number of those without a final answer because their request failed.
        extract: The way in which final answers were found.
        other_way: A way that finds answers where this way finds nearly none; None if there is none.
    """

    rows: int
    known: int
    right: int
    empty: int
    limits: dict[str, int]
    results: Path | Table
    unclosed: int = 0
    failed: int = 0
    extract: str = PUBLISHED
    other_way: OtherWay | None = None

    @property
    def accuracy(self) -> float | None:
        """The share of right responses among those whose gold is known; None if no gold is."""
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
    extraction: str | Extraction | None = None,
    markers: Markers | None = None,
    markers_optional: bool = False,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
    partial: bool = False,
    force: bool = False,
) -> ScoreSummary:
    """Score a split's responses; write results, metrics and report, and note them in the manifest.

    Without an `output` nothing is written, and the results are in memory.

    Results are the rows of `responses` with `pred`, `gold` and `result`, in the same order and with their
    other keys; with `pred` alone if the gold is not known. Next to them go `metrics.json` (`{"acc": x}`, as
    published; null if no gold is known) and `scoring_report.json`, which lists every comparison that a limit
    ended.

    Args:
        task: A task, or its name.
        golds: The split in the test form (`data/test/gsm8k_train_2.jsonl`), any file of the questions that
            were asked, or rows of either: the gold is not known if the `answer` is missing or null. None if
            no gold is known.
        responses: A model's responses (`output.jsonl`), or results to be scored again.
        output: The file of results to write; `-` for the standard output, without metrics and report; None to
            write nothing.
        mode: `published`, `symbolic` or `math-verify`.
        answer_key: The text that precedes the final answer, if not the task's own.
        any_format: Whether to take the final answer in any format (`Task.extract_any`).
        extraction: The way to find the final answer (`answers.extraction.WAYS`); None for the task's own.
        markers: The markers of thinking; None for those recognised by default.
        markers_optional: Whether to warn only if no response has these markers, since the model may not
            think.
        timeout: The most seconds that one comparison may take.
        workers: The number of processes that compare; by default as many as cores.
        partial: Whether golds may be without a response.
        force: Whether to overwrite files that have other content.

    Raises:
        UserError: A file cannot be read or joined, the task or mode does not exist, or a package is missing.
    """
    task = get_task(task)
    rule = scoring_rule(
        task, mode, extraction=extraction, markers=markers, answer_key=answer_key, any_format=any_format
    )
    packages = rule.comparison.packages
    responses = rows_of(responses, "responses", outputs_in)
    golds = None if golds is None else rows_of(golds, "golds")
    outputs = Outputs(inputs=[source for source in (responses, golds) if source is not None], force=force)
    alone = output is None or is_stdout(output)
    next_to_it = [] if alone else [Path(str(output)).with_name(name) for name in (METRICS, REPORT)]
    if output is not None:
        outputs.claim(output, *next_to_it)
    joined = JoinedOutputs(responses, golds, partial=partial, answer_key=task.answer_key)
    check_markers(markers, [(responses, joined.rows())], optional=markers_optional)
    counts = _Counts()
    results = _results(rule, joined, responses, counts, timeout, workers)
    if output is None:
        return counts.summary(Table("results", results), rule)
    settings: dict[str, Any] = {"task": task.name, "mode": mode, "timeout": timeout}
    settings |= {"answers": "any"} if any_format else {}
    settings |= {} if answer_key is None else {"answer_key": answer_key}
    settings |= rule.settings
    with outputs:
        producer = f"the task {task.name}, which extracts and normalises answers"
        outputs.rows(output, results, ANSWERED, producer=producer)
        summary = counts.summary(Path(output), rule)
        report = settings | counts.report()
        contents = (json.dumps({"acc": summary.accuracy}), json.dumps(report, indent=2) + "\n")
        for path, text in zip(next_to_it, contents, strict=False):
            outputs.text(path, text)
        outputs.note(packages=packages, **settings)
    return summary


def _results(
    rule: ScoringRule,
    joined: JoinedOutputs,
    file: RowSource,
    counts: _Counts,
    timeout: Timeout,
    workers: Workers | None,
) -> Iterator[dict[str, Any]]:
    """Yield the results row of each output, and count it.

    Raises:
        UserError: As `score_by`; names the row and its id.
    """
    try:
        if rule.mode != "published":
            answers = [answer for _, answer in joined if answer is not None]
            refuse_more_than_answers(rule.task, answers, rule.mode)
    except UserError as error:
        raise at_its_row(error, file, list(islice(joined.rows(), error.row))) from error
    for batch in together(joined, lambda pair: len(pair[0]["prompt"]) + len(pair[0]["response"])):
        rows, golds = [row for row, _ in batch], [answer for _, answer in batch]
        responded, opened = [row["response"] for row in rows], [is_opened(row) for row in rows]
        try:
            scored = score_by(rule, responded, golds, opened, timeout=timeout, workers=workers)
        except UserError as error:
            raise at_its_row(error, file, rows, counts.rows) from error
        for row, each in zip(rows, scored, strict=True):
            counts.add(row, each)
            yield _result(row, each)


@dataclass
class _Counts:
    """The counts of `ScoreSummary`, and the comparisons that a limit ended."""

    rows: int = 0
    known: int = 0
    right: int = 0
    empty: int = 0
    unclosed: int = 0
    failed: int = 0
    limits: Counter[str] = field(default_factory=Counter)
    ended: list[dict[str, Any]] = field(default_factory=list)
    unread: list[Output] = field(default_factory=list)
    """The first responses without a final answer that are not empty, in which another way may find one."""

    def add(self, row: Output, scored: Scored) -> None:
        """Count a response."""
        self.rows += 1
        self.known += scored.result is not None
        self.right += scored.result is True
        self.empty += not scored.pred
        self.unclosed += not scored.ended and "error" not in row
        self.failed += not scored.pred and "error" in row
        if not scored.pred and row["response"] and len(self.unread) < READ:
            self.unread.append(row)
        if scored.limit:
            self.limits[scored.limit] += 1
            self.ended.append(
                {
                    "id": row["id"],
                    "limit": scored.limit,
                    "pred": scored.pred[:_SHOWN],
                    "pred_length": len(scored.pred),
                    "gold": scored.gold[:_SHOWN],
                }
            )

    def summary(self, results: Path | Table, rule: ScoringRule) -> ScoreSummary:
        """Return the summary of all responses, whose results are written."""
        return ScoreSummary(
            rows=self.rows,
            known=self.known,
            right=self.right,
            empty=self.empty,
            limits=dict(self.limits),
            results=results,
            unclosed=self.unclosed,
            failed=self.failed,
            extract=rule.extraction.way,
            other_way=other_way(rule, self.unread, self.empty / self.rows),
        )

    def report(self) -> dict[str, Any]:
        """Return the counts, and the comparisons that a limit ended."""
        counts = {"rows": self.rows, "known": self.known, "right": self.right, "empty": self.empty}
        if self.unclosed:
            counts["unanswered_thinking_did_not_end"] = self.unclosed
        if self.failed:
            counts["unanswered_request_failed"] = self.failed
        return {**counts, "limits": dict(self.limits), "ended_by_a_limit": self.ended}


def _result(row: Output, scored: Scored) -> dict[str, Any]:
    """Return the results row of an output; without `gold` and `result` if the gold is not known."""
    result = {**row, "pred": scored.pred, "gold": scored.gold, "result": scored.result}
    unknown = ("gold", "result") if scored.result is None else ()
    return {key: value for key, value in result.items() if key not in unknown}
