"""Accuracy of results, with intervals, by group, against each other and the paper's numbers (`evaluate`)."""

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
from w2s_factory.scoring.golds import read_golds
from w2s_factory.scoring.metrics import paired_bootstrap, performance_gap_recovered, wilson_interval
from w2s_factory.scoring.seeds import gap_note, seed_sources
from w2s_factory.scoring.verdicts import left_out, read_known, sampled_known
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from w2s_factory.records import Id, RowsLike, RowSource
    from w2s_factory.scoring.golds import Gold
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task

    Verdicts = dict[Id, bool]


def paper_rows(task: str, weak_name: str) -> list[dict[str, Any]]:
    """A row for each model the paper has under this weak model; shares from 0 to 1.

    PGR is computed from the paper's own floor and ceiling; None where it has no ceiling (OlympicArena).

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


ResultsLike: TypeAlias = "RowsLike | Iterable[RowsLike | SamplesLike] | Mapping[str, RowsLike | SamplesLike]"


@dataclass(frozen=True)
class Evaluation:
    """Tables of plain values, ready for JSON or `pandas.DataFrame`.

    Attributes:
        results: A row for each results file (or folder of seeds) and group; shares lie in 0 to 1, `low`
            and `high` are the ends of their 95 % Wilson intervals.
        differences: The accuracy of each further model less that of the first, on the same questions,
            with the ends of the 95 % interval of a paired bootstrap.
        notes: What could not be said, and why.
        paper: The paper's numbers where they were asked for, with their PGR and sources.
    """

    results: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    notes: list[str]
    paper: list[dict[str, Any]] = field(default_factory=list)

    def to_frame(self, table: Literal["results", "differences", "paper"] = "results") -> pd.DataFrame:
        """Return one of the tables as a DataFrame."""
        return Table(table, getattr(self, table)).to_frame()


def evaluate(
    results: ResultsLike,
    *,
    pass_at: Samples | None = None,
    golds: RowsLike | None = None,
    by: Sequence[str] = (),
    floor: RowsLike | Share | None = None,
    ceiling: RowsLike | Share | None = None,
    beside_paper: tuple[str, str] | None = None,
    task: Task | str | None = None,
) -> Evaluation:
    """Accuracy of results, or pass@k and maj@k of sampled runs.

    Questions whose gold is not known are left out, and a note says how many.

    Args:
        results: What is compared, by name, or a list, or one alone: files of results, folders with
            `results.jsonl`, rows, or DataFrames; with `pass_at`, folders with `seed0/results.jsonl`,
            `seed1/...`, or the results of each seed.
        pass_at: k: pass@k as released (any of the first k seeds right), the unbiased pass@k over all
            seeds (Chen et al. 2021), and maj@k (the majority answer of the first k seeds is right).
        golds: The split in the test form, for `by`.
        by: Tags to break accuracy down by (MATH: `level`, `subject`).
        floor: The weak floor, for PGR: results or their accuracy.
        ceiling: The strong ceiling, likewise.
        task: With `pass_at`, says which answers are equal, for maj@k; None for those with the same text.
        beside_paper: Task and weak model whose published numbers to give, too (`("gsm8k", "llama2_7b")`).

    Raises:
        UserError: A file can't be used, no gold in it is known, or it is named twice; there are fewer than k
            seeds; a tag is missing; floor and ceiling are equal or one of them is missing; or the paper has
            no such numbers.
    """
    check(pass_at, Samples | None, "pass_at")
    named, by = _named(results), listed(by, "by")
    paper = paper_rows(*beside_paper) if beside_paper else []
    if pass_at is not None:
        if by or golds or floor is not None or ceiling is not None:
            raise UserError("pass@k goes without golds, breakdown and PGR", field="pass-at")
        return _sampled(named, pass_at, None if task is None else get_task(task), paper)
    if bool(by) != (golds is not None):
        raise UserError("a breakdown takes golds and the tags to break down by", field="by")
    unknown: list[str] = []
    models = {name: _verdicts(rows_of(rows, name), unknown) for name, rows in named.items()}
    tests = read_golds(rows_of(golds, "golds")) if golds is not None else {}
    rows = [row for name, verdicts in models.items() for row in _accuracies(name, verdicts, tests, by)]
    _add_gap_recovered(rows, floor, ceiling, unknown)
    differences, notes = _differences(models)
    return Evaluation(rows, differences, unknown + notes, paper)


def _named(results: ResultsLike) -> dict[str, Any]:
    """Return what is compared by its name: a path's own, or its place for rows in memory.

    Raises:
        UserError: There is nothing, or one path twice.
    """
    if isinstance(results, Mapping):
        named = {str(name): rows for name, rows in results.items()}
    else:
        given = _each(results)
        names = [
            str(one) if isinstance(one, (str, os.PathLike)) else f"results {n}"
            for n, one in enumerate(given, 1)
        ]
        paths = [one for one in given if isinstance(one, (str, os.PathLike))]
        files = [Path(one).resolve() for one in paths]
        for path, file in zip(paths, files, strict=True):
            if files.count(file) > 1:
                raise UserError("expected different results, got these twice", file=Path(path))
        named = dict(zip(names, given, strict=True))
    if not named:
        raise UserError("no results named")
    return named


def _each(results: Any) -> list[Any]:
    """Return results as a list; one path, one table, one DataFrame and the rows of one model are one entry.

    Raises:
        UserError: It is none of these, and no list.
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
    seeds = {name: seed_sources(one) for name, one in samples.items()}
    found = [sampled_known(one, k, task, name) for name, one in seeds.items()]
    notes = [note for row, unknown in found for note in left_out(row["results"], unknown)]
    notes += [note for name, one in seeds.items() if (note := gap_note(name, one))]
    return Evaluation([row for row, _ in found], [], notes, paper)


def _verdicts(path: RowSource, notes: list[str]) -> Verdicts:
    verdicts, unknown = read_known(path)
    notes += left_out(path, unknown)
    return verdicts


def _accuracies(
    name: str, verdicts: Verdicts, tests: dict[Id, Gold], by: Sequence[str]
) -> Iterator[dict[str, Any]]:
    yield _share(name, "all", sum(verdicts.values()), len(verdicts))
    if not by:
        return
    import pandas as pd  # noqa: PLC0415  heavy

    tagged = pd.DataFrame([{**_tags(tests, key, by), "result": result} for key, result in verdicts.items()])
    for tag in by:
        for value, group in tagged.groupby(tag)["result"]:
            yield _share(name, f"{tag} {value}", int(group.sum()), len(group))


def _tags(tests: dict[Id, Gold], name: Id, by: Sequence[str]) -> dict[str, Any]:
    if name not in tests:
        raise UserError(f"the golds have no row for the id {name!r}", field="golds")
    tags = tests[name].get("tag", {})
    for tag in by:
        if tag not in tags:
            known = ", ".join(tags) or "none"
            raise UserError(f'no tag "{tag}" in the golds', field="by", hint=f"Tags here: {known}")
        if isinstance(tags[tag], list | dict):
            problem = f'the tag "{tag}" of the id {name!r} is not one value, so there are no groups by it'
            raise UserError(problem, field="by", hint="Name a tag whose values are text or numbers")
    return {tag: "none" if tags[tag] is None else tags[tag] for tag in by}


def _share(name: str, group: str, right: int, total: int) -> dict[str, Any]:
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
    if floor is None and ceiling is None:
        return
    if floor is None or ceiling is None:
        raise UserError("PGR takes both the weak floor and the strong ceiling")
    ends = _accuracy(floor, "floor", notes), _accuracy(ceiling, "ceiling", notes)
    for row in rows:
        if row["group"] == "all":
            row["pgr"] = performance_gap_recovered(row["accuracy"], *ends)


def _accuracy(value: RowsLike | Share, field: str, notes: list[str]) -> float:
    """A given accuracy, or that of results."""
    if isinstance(value, str) and not value:
        raise UserError("expected results or an accuracy, got an empty text", field=field)
    try:
        accuracy = float(value)  # type: ignore[arg-type]  # a Path is told by its error
    except (TypeError, ValueError):
        verdicts = _verdicts(rows_of(value, field), notes)  # type: ignore[arg-type]  # not a number
        return sum(verdicts.values()) / len(verdicts)
    check(accuracy, Share, field)
    return accuracy


def _differences(models: dict[str, Verdicts]) -> tuple[list[dict[str, Any]], list[str]]:
    (first, base), *others = models.items()
    differences, notes = [], []
    for name, verdicts in others:
        if verdicts.keys() != base.keys():
            notes.append(f"{name} answers other questions than {first}: no difference")
            continue
        value, low, high = paired_bootstrap(list(base.values()), [verdicts[key] for key in base])
        differences.append({"results": name, "against": first, "difference": value, "low": low, "high": high})
    return differences, notes
