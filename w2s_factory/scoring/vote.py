"""The majority answer of a question's samples, and the majority file of a sampled run (`vote`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records import ANSWERED, VOTE, Outputs, Table, read, to_frame
from w2s_factory.scoring.answer_classes import AnswerClasses, classes_as_scored
from w2s_factory.scoring.noted_way import known_way, noted_way, refuse_different_ways
from w2s_factory.scoring.results import texts_of
from w2s_factory.scoring.rule import rule_again
from w2s_factory.scoring.seeds import missing_seeds, read_together, seed_sources
from w2s_factory.scoring.unused_markers import check_markers
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from w2s_factory.answers.extraction import Extraction
    from w2s_factory.answers.thinking import Markers
    from w2s_factory.records import Id, Result, RowSource, Sample, Vote
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task

_KEPT = ("response", "pred", "result", "prompt_opens_thinking", "error")
"""The keys of a results row that a vote keeps, where the row has them."""


@dataclass(frozen=True)
class VoteSummary:
    """The result of `vote`: counts, and where the votes are.

    Attributes:
        questions: The number of questions, which is that of the rows written.
        samples: The number of responses to each question.
        known: The number of questions whose gold is known.
        right: The number of questions whose majority answer is right.
        empty: The number of questions whose majority answer is empty.
        limits: The number of comparisons of answers that a limit of time or memory ended; these answers count
            as unequal.
        output: The majority file; the votes themselves if no output was named.
        missing: The names of seeds missing between the lowest and the highest that voted; "" if none is.
        unanswered: The number of samples that did not vote: their request failed, or their thinking did not
            end.
    """

    questions: int
    samples: int
    known: int
    right: int
    empty: int
    limits: int
    output: Path | Table
    missing: str = ""
    unanswered: int = 0

    def to_frame(self) -> pd.DataFrame:
        """Return the votes as a DataFrame."""
        return to_frame(self.output)


def majority(predictions: Iterable[str]) -> str:
    """Return the most frequent prediction, and of equally frequent ones the first; empty ones count, too.

    Predictions are compared as text, as published (paper, section 3.2).

    Raises:
        UserError: There is no prediction, or one of them is not text.
    """
    answers = texts_of("predictions", predictions)
    if not answers:
        raise UserError("expected at least one prediction", field="predictions")
    return Counter(answers).most_common(1)[0][0]  # of equal counts, the first inserted


def vote(
    folder: SamplesLike,
    output: str | Path | None = None,
    *,
    task: Task | str | None = None,
    extraction: str | Extraction | None = None,
    mode: str | None = None,
    markers: Markers | None = None,
    force: bool = False,
) -> VoteSummary:
    """Write the majority file of samples in the published form, or without an `output` return the votes.

    A sample whose request failed or whose thinking did not end does not vote.

    Args:
        folder: A folder of `seed0/results.jsonl`, `seed1/...`: any number of seeds, the same questions in
            each. Or the results of each seed, in order, as files, rows or DataFrames; or rows of all seeds
            that have a `seed`.
        output: The majority file (`majority_voting_results.jsonl`); `-` for the standard output; None to
            write nothing.
        task: The task that says which answers are equal (see `AnswerClasses`); None if only the same text is,
            as published.
        extraction: The way to find the answers again in the responses (`answers.extraction.WAYS`); None to
            take them from the results, or to find them as they were scored if there is a `mode` or `markers`.
        mode: The mode that compares answers found again; None for the published one, or for that in which
            they were scored if `extraction` is None, too.
        markers: The markers of thinking for answers found again; None for those by which they were scored.
        force: Whether to overwrite a file that has other content.

    Raises:
        UserError: Results are missing or cannot be read, seeds differ in their questions, they were scored in
            different ways and no way is named, or a way is named without the task.
    """
    task = None if task is None else get_task(task)
    seeds = seed_sources(folder)
    counts: Counter[str] = Counter()
    files = list(seeds.values())
    classes = _classes(task, files, extraction, mode, markers)
    rows = _votes(classes.classify(read_together(files, ANSWERED)), counts, files[0])
    if output is None:
        votes: Path | Table = Table("votes", rows)
    else:
        with Outputs(inputs=files, force=force) as outputs:
            outputs.rows(output, rows, VOTE)
            way = noted_way(files[0]) if classes.rule is None else classes.rule.way
            outputs.note(samples=len(files), **({"task": task.name} if task else {}), **way.facts)
        votes = Path(output)
    return VoteSummary(
        questions=counts["questions"],
        samples=len(seeds),
        known=counts["known"],
        right=counts["right"],
        empty=counts["empty"],
        limits=classes.limits,
        output=votes,
        missing=missing_seeds(seeds),
        unanswered=counts["unanswered"],
    )


def _classes(
    task: Task | None,
    files: Sequence[RowSource],
    extraction: str | Extraction | None,
    mode: str | None,
    markers: Markers | None,
) -> AnswerClasses:
    """Return the classes of answers: those of the results, or found again if a way or a mode is named."""
    if extraction is None and mode is None and markers is None:
        return classes_as_scored(task, files, refuse_different_ways(files, same_key=True))
    if task is None:
        hint = "The task says where answers are and when they are equal"
        raise UserError("is needed to find answers again", field="--task", hint=hint)
    rows = (row for file in files for row in read(file, ANSWERED))
    check_markers(markers, [(files[0], rows)])
    if extraction is None:
        refuse_different_ways(files, same_key=True)
    rules = [
        rule_again(task, known_way(file), extraction=extraction, mode=mode, markers=markers) for file in files
    ]
    for file, rule in zip(files, rules, strict=True):
        if rule.way != rules[0].way:
            problem = f"was scored with other markers of thinking or another answer key than {files[0]}"
            raise UserError(problem, file=file, hint="Score all seeds in the same way")
    scored = [rule.way.judges_as(noted_way(file)) for file in files]
    return AnswerClasses(task, rules[0], scored=scored)


def _votes(
    questions: Iterator[tuple[tuple[Result, ...], list[str | None]]], counts: Counter[str], first: RowSource
) -> Iterator[Vote]:
    """Yield the vote on each question, and count what the summary reports.

    Args:
        questions: The samples of each question, with the first answer of each sample's class.
        counts: The counts, which are added to.
        first: The results of the first seed, for messages.

    Raises:
        UserError: The results have a duplicate id.
    """
    seen: set[Id] = set()
    for results, answers in questions:
        row = _vote(results, answers)
        counts["unanswered"] += answers.count(None)
        if row["id"] in seen:
            raise UserError(f"duplicate id {row['id']!r}", file=first, field="id")
        seen.add(row["id"])
        result = row["pos_responses"][0].get("result")
        counts["questions"] += 1
        counts["known"] += result is not None
        counts["right"] += result is True
        counts["empty"] += row["pos_responses"][0]["pred"] == ""
        yield row


def _vote(results: Sequence[Result], answers: Sequence[str | None]) -> Vote:
    """Return the vote on one question, in the published form.

    An answer of None does not vote. If no sample votes, all are listed as the majority, with confidence 0.
    """
    voting = [answer for answer in answers if answer is not None]
    winner = majority(voting) if voting else None
    sides: dict[bool, list[Sample]] = {True: [], False: []}
    for result, answer in zip(results, answers, strict=True):
        sides[answer == winner].append(_sample(result))
    row: Vote = {
        "id": results[0]["id"],
        "prompt": results[0]["prompt"],
        "gold": results[0].get("gold", ""),
        "pos_responses": sides[True],
        "neg_responses": sides[False],
        "confidence": len(sides[True]) / len(results) if voting else 0.0,
    }
    return {**row, "system": results[0]["system"]} if "system" in results[0] else row


def _sample(result: Result) -> Sample:
    """Return the part of a results row that a vote keeps."""
    return {key: result[key] for key in _KEPT if key in result}  # type: ignore[return-value, literal-required]
