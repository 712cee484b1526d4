"""Verdicts read from results: which questions are answered rightly, greedy or sampled (pass@k, maj@k)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.quantities import Samples
from w2s_factory.ranges import check
from w2s_factory.records import ANSWERED, Table, read
from w2s_factory.scoring.equality import Classes
from w2s_factory.scoring.metrics import pass_at_k, wilson_interval
from w2s_factory.scoring.seeds import read_together, seed_sources
from w2s_factory.scoring.vote import majority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.records import Id, Result, RowSource
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task


def read_verdicts(path: str | RowSource) -> dict[Id, bool]:
    """Whether each question whose gold is known was answered rightly, in the order of the rows.

    Args:
        path: Results, or a folder with `results.jsonl`.

    Raises:
        UserError: The file can't be used, is empty, an id stands in it twice, or no gold is known.
    """
    return read_known(path)[0]


def read_known(path: str | RowSource) -> tuple[dict[Id, bool], int]:
    """As `read_verdicts`, and the number of questions left out: those whose gold is not known."""
    file = path if isinstance(path, Table) else _results_file(Path(path))
    verdicts: dict[Id, bool | None] = {}
    for place, row in enumerate(read(file, ANSWERED), 1):
        if row["id"] in verdicts:
            raise UserError(f"the id {row['id']!r} comes twice", file=file, row=place, field="id")
        verdicts[row["id"]] = row.get("result")
    if not verdicts:
        raise UserError("holds no rows", file=file)
    known = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
    if not known:
        raise no_gold(file)
    return known, len(verdicts) - len(known)


def _results_file(path: Path) -> Path:
    return path / "results.jsonl" if path.is_dir() else path


def no_gold(file: str | RowSource) -> UserError:
    """There is nothing to evaluate, to be raised."""
    return UserError("no gold is known: no row has a result", file=file, hint="Stage I and II need none")


def left_out(name: str | RowSource, unknown: int) -> list[str]:
    """The note on questions left out; none where there are none."""
    return [f"{name}: {unknown:,} questions whose gold is not known are left out"] if unknown else []


def sampled(samples: SamplesLike, k: Samples, task: Task | None = None) -> dict[str, Any]:
    """A row of `Evaluation.results` for a folder of seeds; memory does not grow with the questions.

    Questions whose gold is not known are left out. The majority of maj@k is over answers with the same
    text, or over those the task calls equal.

    Raises:
        UserError: There are fewer than k seeds, their results can't be used, or no gold is known.
    """
    return sampled_known(seed_sources(samples), k, task, str(samples))[0]


def sampled_known(
    seeds: Mapping[int, RowSource], k: Samples, task: Task | None, called: str
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
