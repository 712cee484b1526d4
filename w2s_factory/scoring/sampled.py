"""pass@k and maj@k of a sampled run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.scoring.classes import Classes
from w2s_factory.scoring.majority import majority
from w2s_factory.scoring.metrics import pass_at_k, wilson_interval
from w2s_factory.scoring.seeds import read_together, seed_files

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.scoring.scorable import Scorable


def sampled(folder: Path, k: int, task: Scorable | None = None) -> dict[str, Any]:
    """A row of `Evaluation.results` for a folder of seeds; memory does not grow with the questions.

    The majority of maj@k is over answers with the same text, or over those the task calls equal.

    Raises:
        UserError: There are fewer than k seeds, or their results can't be used.
    """
    files = seed_files(folder)
    if not 1 <= k <= len(files):
        raise UserError(f"pass@{k} needs {k} seeds, here are {len(files)}", file=folder)
    total = passed = agreed = 0
    unbiased = 0.0
    questions = Classes(task).of(read_together(files))
    for total, (results, answers) in enumerate(questions, 1):  # noqa: B007  the count is used below
        taken = results[:k]
        passed += any(result["result"] for result in taken)
        winner = majority(answers[:k])
        agreed += next(
            one["result"] for one, answer in zip(results, answers, strict=True) if answer == winner
        )
        unbiased += pass_at_k(len(results), sum(result["result"] for result in results), k)
    if not total:
        raise UserError("holds no rows", file=files[0])
    row = {"results": str(folder), "questions": total, "samples": len(files), "k": k}
    for name, right in (("pass", passed), ("maj", agreed)):
        low, high = wilson_interval(right, total)
        row |= {f"{name}_at_k": right / total, f"{name}_low": low, f"{name}_high": high}
    return row | {"pass_at_k_unbiased": unbiased / total}
