"""Accuracy of results with intervals: overall, by group, compared, next to the paper's (`evaluate`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from w2s_factory.errors import UserError, listed, shown
from w2s_factory.published import published_results
from w2s_factory.quantities import Samples
from w2s_factory.ranges import Share, check
from w2s_factory.records import Table, rows_of
from w2s_factory.scoring.golds import index_golds
from w2s_factory.scoring.metrics import (
    bootstrap_mean,
    paired_bootstrap,
    performance_gap_recovered,
    wilson_interval,
)
from w2s_factory.scoring.seeds import gap_note, seed_sources
from w2s_factory.scoring.verdicts import differing_gold, left_out, read_known, sampled_known, shares_right
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from w2s_factory.records import Id, RowIndex, RowsLike, RowSource
    from w2s_factory.scoring.golds import Gold
    from w2s_factory.scoring.metrics import Difference
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task

    Verdicts = Mapping[Id, bool]


ResultsLike: TypeAlias = "RowsLike | Iterable[RowsLike | SamplesLike] | Mapping[str, RowsLike | SamplesLike]"
"""The results that `evaluate` takes."""


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`: tables of plain values, ready for JSON or `pandas.DataFrame`.

    Attributes:
        results: A row for each results file (or folder of seeds) and group; shares are from 0 to 1, `low` and
            `high` are the ends of their 95 % intervals: Wilson's, for avg@k a bootstrap over the questions.
        differences: The accuracy (or avg@k) of each further model less that of the first, on the same
            questions, with the ends of the 95 % interval of a paired bootstrap.
        notes: Sentences on questions, seeds and comparisons that are left out.
        paper: The paper's numbers, with their PGR and sources; empty if not asked for.
    """

    results: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    notes: list[str]
    paper: list[dict[str, Any]] = field(default_factory=list)

    def to_frame(self, table: Literal["results", "differences", "paper"] = "results") -> pd.DataFrame:
        """Return one of the tables as a DataFrame."""
        return Table(table, getattr(self, table)).to_frame()


def evaluate(  # noqa: PLR0913  each is a question that can be asked of results
    results: ResultsLike,
    *,
    pass_at: Samples | None = None,
    avg_at: Samples | None = None,
    golds: RowsLike | None = None,
    by: Sequence[str] = (),
    floor: RowsLike | Share | None = None,
    ceiling: RowsLike | Share | None = None,
    beside_paper: tuple[str, str] | None = None,
    task: Task | str | None = None,
) -> Evaluation:
    """Return the accuracy of results, or pass@k and maj@k, or avg@k, of samples.

    Questions whose gold is not known are left out, and a note reports their number.

    Args:
        results: The results of one model, or of several in a list or by name: files of results, folders with
            `results.jsonl`, rows, or DataFrames; with `pass_at` or `avg_at`, folders with
            `seed0/results.jsonl`, `seed1/...`, or the results of each seed.
        pass_at: The k of pass@k as released (any of the first k seeds is right), of the unbiased pass@k over
            all seeds (Chen et al. 2021), and of maj@k (the majority answer of the first k seeds is right).
        avg_at: The k of avg@k: the mean accuracy of the first k seeds, with an interval over the questions.
        golds: The split in the test form, for `by`.
        by: The tags to break accuracy down by (MATH: `level`, `subject`).
        floor: The weak floor, for PGR: results or their accuracy.
        ceiling: The strong ceiling, for PGR: results or their accuracy.
        beside_paper: The task and weak model whose published numbers to return, too, such as
            `("gsm8k", "llama2_7b")`.
        task: With `pass_at`, the task that says which answers are equal, for maj@k; None if only the same
            text is.

    Raises:
        UserError: A file cannot be read, has no row whose gold is known, or is named twice; there are fewer
            than k seeds; a tag is missing; floor and ceiling are equal or only one of them is given; or the
            paper has no such numbers.
    """
    check(pass_at, Samples | None, "pass_at")
    check(avg_at, Samples | None, "avg_at")
    named, by = _named(results), listed(by, "by")
    paper = paper_rows(*beside_paper) if beside_paper else []
    for k, name in ((avg_at, "avg-at"), (pass_at, "pass-at")):
        if k is not None and (by or golds or floor is not None or ceiling is not None):
            problem = "cannot be combined with golds, a breakdown, a floor or a ceiling"
            raise UserError(problem, field=name, hint="Leave these out")
    if avg_at is not None:
        if pass_at is not None:
            raise UserError("cannot be combined with pass-at", field="avg-at", hint="Evaluate twice")
        return _averaged(named, avg_at, paper)
    if pass_at is not None:
        return _sampled(named, pass_at, None if task is None else get_task(task), paper)
    if bool(by) != (golds is not None):
        problem = "accuracy by tag needs both the tags (--by) and the gold answers (--golds)"
        raise UserError(problem, field="by")
    unknown: list[str] = []
    sources = {name: rows_of(rows, name) for name, rows in named.items()}
    models = {name: _verdicts(source, unknown) for name, source in sources.items()}
    tests = None if golds is None else index_golds(rows_of(golds, "golds"))
    rows = [row for name, verdicts in models.items() for row in _accuracies(name, verdicts, tests, by)]
    _add_gap_recovered(rows, floor, ceiling, unknown)
    differences, notes = _differences(models, sources, paired_bootstrap)
    return Evaluation(rows, differences, unknown + notes, paper)


def _named(results: ResultsLike) -> dict[str, Any]:
    """Return results by name: a path is its own name, rows in memory are named by their place.

    Raises:
        UserError: There are none, or a path is given twice.
    """
    if isinstance(results, Mapping):
        named = {str(name): rows for name, rows in results.items()}
    else:
        given = _listed(results)
        _refuse_repeated_paths([source for source in given if isinstance(source, (str, os.PathLike))])
        named = {
            str(source) if isinstance(source, (str, os.PathLike)) else f"results {number}": source
            for number, source in enumerate(given, 1)
        }
    if not named:
        raise UserError("no results named")
    return named


def _refuse_repeated_paths(paths: Sequence[str | os.PathLike[str]]) -> None:
    files = [Path(path).resolve() for path in paths]
    for path, file in zip(paths, files, strict=True):
        if files.count(file) > 1:
            raise UserError("expected different results, got these twice", file=Path(path))


def _listed(results: Any) -> list[Any]:
    """Return results as a list, in which the results of one model are one entry.

    Raises:
        UserError: They are neither results nor an iterable of results.
    """
    if isinstance(results, (str, os.PathLike, Table)) or hasattr(results, "columns"):
        return [results]
    if isinstance(results, bytes) or not isinstance(results, Iterable):
        expected = "results, a list of results, or results by name"
        raise UserError(f"expected {expected}, got {shown(results)}", field="results")
    given = list(results)
    return [given] if given and all(isinstance(row, Mapping) for row in given) else given


def _sampled(
    samples: Mapping[str, Any], k: Samples, task: Task | None, paper: list[dict[str, Any]]
) -> Evaluation:
    """Return the evaluation of samples."""
    by_name = {name: seed_sources(source) for name, source in samples.items()}
    found = [sampled_known(seeds, k, task, name) for name, seeds in by_name.items()]
    notes = [note for row, unknown in found for note in left_out(row["results"], unknown)]
    notes += [note for name, seeds in by_name.items() if (note := gap_note(name, seeds))]
    return Evaluation([row for row, _ in found], [], notes, paper)


def _averaged(samples: Mapping[str, Any], k: Samples, paper: list[dict[str, Any]]) -> Evaluation:
    """Return the evaluation of samples by avg@k."""
    rows, notes, shares, sources = [], [], {}, {}
    for name, source in samples.items():
        seeds = seed_sources(source)
        shares[name], unknown = shares_right(seeds, k, name)
        sources[name] = next(iter(seeds.values()))
        value, low, high = bootstrap_mean(list(shares[name].values()))
        counts = {"questions": len(shares[name]), "samples": len(seeds), "k": k}
        rows.append({"results": name, **counts, "avg_at_k": value, "avg_low": low, "avg_high": high})
        notes += left_out(name, unknown)
        notes += [note] if (note := gap_note(name, seeds)) else []
    differences, more = _differences(shares, sources, _mean_difference)
    return Evaluation(rows, differences, notes + more, paper)


def _mean_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    return bootstrap_mean([new - old for old, new in zip(first, second, strict=True)])


def _verdicts(path: RowSource, notes: list[str]) -> Verdicts:
    """Return the verdicts of results; a note on questions left out is added to `notes`."""
    verdicts, unknown = read_known(path)
    notes += left_out(path, unknown)
    return verdicts


def _accuracies(
    name: str, verdicts: Verdicts, tests: RowIndex[Gold] | None, by: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one model: of all its questions, then of each group."""
    yield _share(name, "all", sum(verdicts.values()), len(verdicts))
    if tests is None:
        return
    import pandas as pd  # noqa: PLC0415  heavy

    counts: dict[str, dict[Any, list[int]]] = {tag: {} for tag in by}
    with tests.opened() as test_row:
        for key, right in verdicts.items():
            for tag, value in _tags(tests.numbers, test_row, key, by).items():
                count = counts[tag].setdefault((type(value), value), [0, 0])
                count[0] += right
                count[1] += 1
    for tag in by:
        table = pd.DataFrame(
            [(value, *count) for (_, value), count in counts[tag].items()],
            columns=["value", "right", "total"],
        )
        for value, group in table.groupby("value"):  # sorts them
            yield _share(name, f"{tag} {value!s}", int(group["right"].sum()), int(group["total"].sum()))


def _tags(
    numbers: Mapping[Id, int], test_row: Callable[[int], Gold], name: Id, by: Sequence[str]
) -> dict[str, Any]:
    """Return the tags of a question that accuracy is broken down by.

    Raises:
        UserError: The golds do not have the question or a tag, or a tag is not a single value.
    """
    if name not in numbers:
        raise UserError(f"the gold answers have no row for the id {name!r}", field="golds")
    tags = test_row(numbers[name]).get("tag", {})
    for tag in by:
        if tag not in tags:
            hint = f"Their tags: {', '.join(tags) or 'none'}"
            raise UserError(f'the gold answers have no tag "{tag}"', field="by", hint=hint)
        if isinstance(tags[tag], list | dict):
            problem = (
                f'the tag "{tag}" of the id {name!r} is a list or an object, by which nothing can be grouped'
            )
            raise UserError(problem, field="by", hint="Name a tag whose values are text or numbers")
    return {tag: "none" if tags[tag] is None else tags[tag] for tag in by}


def _share(name: str, group: str, right: int, total: int) -> dict[str, Any]:
    """Return the row of one model and group."""
    low, high = wilson_interval(right, total)
    return {
        "results": name,
        "group": group,
        "questions": total,
        "right": right,
        "accuracy": right / total,
        "low": low,
        "high": high,
    }


def _add_gap_recovered(
    rows: Iterable[dict[str, Any]],
    floor: RowsLike | Share | None,
    ceiling: RowsLike | Share | None,
    notes: list[str],
) -> None:
    """Add PGR to the rows of all questions, if floor and ceiling are given."""
    if floor is None and ceiling is None:
        return
    if floor is None or ceiling is None:
        raise UserError(
            "PGR needs both a weak floor and a strong ceiling", hint="Give both --floor and --ceiling"
        )
    ends = _accuracy(floor, "floor", notes), _accuracy(ceiling, "ceiling", notes)
    for row in rows:
        if row["group"] == "all":
            row["pgr"] = performance_gap_recovered(row["accuracy"], *ends)


def _accuracy(value: RowsLike | Share, field: str, notes: list[str]) -> float:
    """Return a given accuracy, or that of results.

    Raises:
        UserError: It is neither; names the field.
    """
    if isinstance(value, str) and not value:
        raise UserError("expected results or an accuracy, got an empty text", field=field)
    try:
        accuracy = float(value)  # type: ignore[arg-type]  # a path raises an error
    except (TypeError, ValueError):
        verdicts = _verdicts(rows_of(value, field), notes)  # type: ignore[arg-type]  # not a number
        return sum(verdicts.values()) / len(verdicts)
    check(accuracy, Share, field)
    return accuracy


def _differences(
    models: Mapping[str, Mapping[Id, Any]],
    sources: Mapping[str, RowSource],
    difference: Callable[[list[Any], list[Any]], Difference],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the differences to the first model, and notes on the models that have none."""
    (first, base), *others = models.items()
    differences, notes = [], []
    for name, verdicts in others:
        if verdicts.keys() != base.keys():
            notes.append(f"{name} answers other questions than {first}, so their difference is left out")
            continue
        if differing_gold(sources[first], sources[name]):
            notes.append(f"{name} has other gold answers than {first}, so their difference is left out")
            continue
        value, low, high = difference(list(base.values()), [verdicts[key] for key in base])
        differences.append({"results": name, "against": first, "difference": value, "low": low, "high": high})
    return differences, notes


def paper_rows(task: str, weak_name: str) -> list[dict[str, Any]]:
    """Return a row for each model that the paper reports with this weak model; shares are from 0 to 1.

    PGR is computed from the paper's own floor and ceiling; it is None if there is no ceiling (OlympicArena).

    Raises:
        UserError: The paper has no such task, or no such weak model in it.
    """
    numbers = published_results(task, weak_name)
    floor, ceiling = numbers["weak_floor"].accuracy, numbers.get("strong_ceiling")
    return [
        {
            "paper": name,
            "accuracy": number.accuracy,
            "pgr": ceiling and performance_gap_recovered(number.accuracy, floor, ceiling.accuracy),
            "pass_at_10": number.pass_at_10,
            "source": number.source,
        }
        for name, number in numbers.items()
    ]
