"""The majority answer of a question's samples, and the majority file of a sampled run (`vote`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.records import Outputs, note
from w2s_factory.scoring.seeds import read_together, seed_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.records import Result, Sample, Vote


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


def vote(folder: str | Path, output: str | Path, *, force: bool = False) -> VoteSummary:
    """Write the majority file of a sampled run, in the published form.

    Args:
        folder: Holds `seed0/results.jsonl`, `seed1/...`: any number of seeds, the same questions in each.
        output: The majority file (`majority_voting_results.jsonl`).
        force: Overwrite a file that holds something else.

    Raises:
        UserError: Results are missing or can't be used, or seeds differ in their questions.
    """
    files = seed_files(folder)
    counts: Counter[str] = Counter()

    def rows() -> Iterator[Vote]:
        for results in read_together(files):
            row = _vote(results)
            counts["right"] += row["pos_responses"][0]["result"]
            counts["empty"] += row["pos_responses"][0]["pred"] == ""
            yield row

    with Outputs(force=force) as outputs:
        questions = outputs.rows(output, rows())
    note([output], inputs=files, samples=len(files))
    return VoteSummary(questions, len(files), counts["right"], counts["empty"], Path(output))


def _vote(results: Sequence[Result]) -> Vote:
    winner = majority([result["pred"] for result in results])
    return {
        "id": results[0]["id"],
        "prompt": results[0]["prompt"],
        "gold": results[0]["gold"],
        "pos_responses": [_sample(result) for result in results if result["pred"] == winner],
        "neg_responses": [_sample(result) for result in results if result["pred"] != winner],
        "confidence": sum(result["pred"] == winner for result in results) / len(results),
    }


def _sample(result: Result) -> Sample:
    return {"response": result["response"], "pred": result["pred"], "result": result["result"]}
