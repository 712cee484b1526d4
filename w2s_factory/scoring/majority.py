"""The majority answer of a question's samples, and the majority file of a sampled run (`vote`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.records import ANSWERED, VOTE, Outputs
from w2s_factory.scoring.classes import Classes
from w2s_factory.scoring.seeds import read_together, seed_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.records import Result, Sample, Vote
    from w2s_factory.scoring.scorable import Scorable


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
        output: The majority file.
    """

    questions: int
    samples: int
    known: int
    right: int
    empty: int
    limits: int
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
        task: Says which answers are equal (see `Classes`); None for those with the same text, as published.
        folder: Holds `seed0/results.jsonl`, `seed1/...`: any number of seeds, the same questions in each.
        output: The majority file (`majority_voting_results.jsonl`); `-` for the standard output.
        force: Overwrite a file that holds something else.

    Raises:
        UserError: Results are missing or can't be used, or seeds differ in their questions.
    """
    files = seed_files(folder)
    counts: Counter[str] = Counter()

    classes = Classes(task)

    def rows() -> Iterator[Vote]:
        for results, answers in classes.of(read_together(files, ANSWERED)):
            row = _vote(results, answers)
            result = row["pos_responses"][0].get("result")
            counts["known"] += result is not None
            counts["right"] += result is True
            counts["empty"] += row["pos_responses"][0]["pred"] == ""
            yield row

    facts = {"task": task.name} if task else {}
    with Outputs(inputs=files, force=force) as outputs:
        questions = outputs.rows(output, rows(), VOTE)
        outputs.note(samples=len(files), **facts)
    return VoteSummary(
        questions=questions,
        samples=len(files),
        known=counts["known"],
        right=counts["right"],
        empty=counts["empty"],
        limits=classes.limits,
        output=Path(output),
    )


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
