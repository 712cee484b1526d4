"""pass@k and maj@k of a sampled run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.quantities import Samples
from w2s_factory.ranges import check
from w2s_factory.records import ANSWERED
from w2s_factory.scoring.classes import Classes
from w2s_factory.scoring.majority import majority
from w2s_factory.scoring.metrics import pass_at_k, wilson_interval
from w2s_factory.scoring.seeds import read_together, seed_sources
from w2s_factory.scoring.verdicts import no_gold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.records import Result, RowSource
    from w2s_factory.scoring.scorable import Scorable
    from w2s_factory.scoring.seeds import SamplesLike


def sampled(samples: SamplesLike, k: Samples, task: Scorable | None = None) -> dict[str, Any]:
    """A row of `Evaluation.results` for a folder of seeds; memory does not grow with the questions.

    Questions whose gold is not known are left out. The majority of maj@k is over answers with the same
    text, or over those the task calls equal.

    Raises:
        UserError: There are fewer than k seeds, their results can't be used, or no gold is known.
    """
    return sampled_known(seed_sources(samples), k, task, str(samples))[0]


def sampled_known(
    seeds: Mapping[int, RowSource], k: Samples, task: Scorable | None, called: str
) -> tuple[dict[str, Any], int]:
    """As `sampled`, and the number of questions left out; `called` is what the samples are called."""
    check(k, Samples, "pass_at")
    files = list(seeds.values())
    if k > len(files):
        raise UserError(f"pass@{k} needs {k} seeds, here are {len(files)}", file=called)
    total = passed = agreed = 0
    unbiased = 0.0
    seen: Counter[bool] = Counter()
    questions = Classes(task).of(_known(files, seen))
    for total, (results, answers) in enumerate(questions, 1):  # noqa: B007  the count is used below
        taken = results[:k]
        passed += any(result["result"] for result in taken)
        winner = majority(answers[:k])
        agreed += next(
            one["result"] for one, answer in zip(results, answers, strict=True) if answer == winner
        )
        unbiased += pass_at_k(len(results), sum(result["result"] for result in results), k)
    if not seen:
        raise UserError("holds no rows", file=files[0])
    if not total:
        raise no_gold(called)
    row = {"results": called, "questions": total, "samples": len(files), "k": k}
    for name, right in (("pass", passed), ("maj", agreed)):
        low, high = wilson_interval(right, total)
        row |= {f"{name}_at_k": right / total, f"{name}_low": low, f"{name}_high": high}
    return row | {"pass_at_k_unbiased": unbiased / total}, seen[False]


def _known(files: Sequence[RowSource], seen: Counter[bool]) -> Iterator[tuple[Result, ...]]:
    """The results of each question whose gold is known, in all files; `seen` counts both kinds."""
    for results in read_together(files, ANSWERED):
        known = all("result" in result for result in results)
        seen[known] += 1
        if known:
            yield results
