"""The majority answer of a question's samples, and the majority file of a sampled run (`vote`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records import ANSWERED, VOTE, Outputs, Table, to_frame
from w2s_factory.scoring.equality import Classes
from w2s_factory.scoring.results import texts_of
from w2s_factory.scoring.seeds import missing_seeds, read_together, seed_sources
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from w2s_factory.records import Id, Result, RowSource, Sample, Vote
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class VoteSummary:
    """What `vote` counted.

    Attributes:
        questions: Rows written.
        samples: Responses a question.
        known: Questions whose gold is known.
        right: Questions whose majority answer is right.
        empty: Questions whose majority answer is empty.
        limits: Comparisons of answers that a limit ended: they count as different.
        output: The majority file; the votes themselves if no output was named.
        missing: The names of seeds missing between the lowest and the highest that voted; "" if none is.
    """

    questions: int
    samples: int
    known: int
    right: int
    empty: int
    limits: int
    output: Path | Table
    missing: str = ""

    def to_frame(self) -> pd.DataFrame:
        """Return the votes as a DataFrame."""
        return to_frame(self.output)


def majority(predictions: Iterable[str]) -> str:
    """The most frequent prediction, of several the one seen first; the empty one counts, too.

    The published way (paper, section 3.2): predictions are compared as text.

    Raises:
        UserError: There is no prediction, or one is not text.
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
    force: bool = False,
) -> VoteSummary:
    """Write the majority file of a sampled run, in the published form, or without an `output` return it.

    Args:
        task: Says which answers are equal (see `Classes`); None for those with the same text, as published.
        folder: A folder of `seed0/results.jsonl`, `seed1/...`: any number of seeds, the same questions in
            each. Or the results of each seed, in order, as files, rows or DataFrames; or rows of all seeds
            that have a `seed`.
        output: The majority file (`majority_voting_results.jsonl`); `-` for the standard output; None for
            nothing written.
        force: Overwrite a file that holds something else.

    Raises:
        UserError: Results are missing or can't be used, or seeds differ in their questions.
    """
    task = None if task is None else get_task(task)
    seeds = seed_sources(folder)
    counts: Counter[str] = Counter()
    classes = Classes(task)
    files = list(seeds.values())
    rows = _votes(classes.of(read_together(files, ANSWERED)), counts, files[0])
    if output is None:
        votes: Path | Table = Table("votes", rows)
    else:
        with Outputs(inputs=files, force=force) as outputs:
            outputs.rows(output, rows, VOTE)
            outputs.note(samples=len(files), **({"task": task.name} if task else {}))
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
    )


def _votes(
    questions: Iterator[tuple[tuple[Result, ...], list[str]]], counts: Counter[str], first: RowSource
) -> Iterator[Vote]:
    """Yield the vote on each question, and count what the summary says.

    Raises:
        UserError: An id of the first seed's results comes twice.
    """
    seen: set[Id] = set()
    for results, answers in questions:
        row = _vote(results, answers)
        if row["id"] in seen:
            raise UserError(f"the id {row['id']!r} comes twice", file=first, field="id")
        seen.add(row["id"])
        result = row["pos_responses"][0].get("result")
        counts["questions"] += 1
        counts["known"] += result is not None
        counts["right"] += result is True
        counts["empty"] += row["pos_responses"][0]["pred"] == ""
        yield row


def _vote(results: Sequence[Result], answers: Sequence[str]) -> Vote:
    winner = majority(answers)
    sides: dict[bool, list[Sample]] = {True: [], False: []}
    for result, answer in zip(results, answers, strict=True):
        sides[answer == winner].append(_sample(result))
    return {
        "id": results[0]["id"],
        "prompt": results[0]["prompt"],
        "gold": results[0].get("gold", ""),
        "pos_responses": sides[True],
        "neg_responses": sides[False],
        "confidence": len(sides[True]) / len(results),
    }


def _sample(result: Result) -> Sample:
    sample: Sample = {"response": result["response"], "pred": result["pred"]}
    return {**sample, "result": result["result"]} if "result" in result else sample
