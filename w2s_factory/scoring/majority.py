"""The majority answer of a question's samples, and the majority file of a sampled run (`vote`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.records import Outputs, note
from w2s_factory.scoring.classes import classes
from w2s_factory.scoring.seeds import read_together, seed_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.records import Result, Sample, Vote
    from w2s_factory.scoring.scorable import Scorable

_AT_ONCE = 500
"""Questions whose answers are compared together, so that workers have enough to do."""


@dataclass(frozen=True)
class VoteSummary:
    """What `vote` counted.

    Attributes:
        questions: Rows written.
        samples: Responses a question.
        right: Questions whose majority answer is right.
        empty: Questions whose majority answer is empty.
        output: The majority file.
    """

    questions: int
    samples: int
    right: int
    empty: int
    output: Path


def majority(predictions: Sequence[str]) -> str:
    """The most frequent prediction, of several the one seen first; the empty one counts, too.

    The published way (paper, section 3.2): predictions are compared as text.
    """
    return Counter(predictions).most_common(1)[0][0]  # of equal counts, the first inserted


def vote(
    folder: str | Path, output: str | Path, *, task: Scorable | None = None, force: bool = False
) -> VoteSummary:
    """Write the majority file of a sampled run, in the published form.

    Args:
        task: Says which answers are equal (see `classes`); None for those with the same text, as published.
        folder: Holds `seed0/results.jsonl`, `seed1/...`: any number of seeds, the same questions in each.
        output: The majority file (`majority_voting_results.jsonl`).
        force: Overwrite a file that holds something else.

    Raises:
        UserError: Results are missing or can't be used, or seeds differ in their questions.
    """
    files = seed_files(folder)
    counts: Counter[str] = Counter()

    def rows() -> Iterator[Vote]:
        for results, answers in _with_answers(read_together(files), task):
            row = _vote(results, answers)
            counts["right"] += row["pos_responses"][0]["result"]
            counts["empty"] += row["pos_responses"][0]["pred"] == ""
            yield row

    with Outputs(force=force) as outputs:
        questions = outputs.rows(output, rows())
    facts = {"task": task.name} if task else {}
    note([output], inputs=files, samples=len(files), **facts)
    return VoteSummary(questions, len(files), counts["right"], counts["empty"], Path(output))


def _with_answers(
    questions: Iterator[tuple[Result, ...]], task: Scorable | None
) -> Iterator[tuple[tuple[Result, ...], list[str]]]:
    """Each question's results, and the answer each of them counts as."""
    if task is None:
        yield from ((results, [result["pred"] for result in results]) for results in questions)
        return
    while some := list(islice(questions, _AT_ONCE)):
        predictions = [[result["pred"] for result in results] for results in some]
        yield from zip(some, classes(task, predictions), strict=True)


def _vote(results: Sequence[Result], answers: Sequence[str]) -> Vote:
    winner = majority(answers)
    sides: dict[bool, list[Sample]] = {True: [], False: []}
    for result, answer in zip(results, answers, strict=True):
        sides[answer == winner].append(_sample(result))
    return {
        "id": results[0]["id"],
        "prompt": results[0]["prompt"],
        "gold": results[0]["gold"],
        "pos_responses": sides[True],
        "neg_responses": sides[False],
        "confidence": len(sides[True]) / len(results),
    }


def _sample(result: Result) -> Sample:
    return {"response": result["response"], "pred": result["pred"], "result": result["result"]}
