"""The seeds of a sampled run: one folder of results each, read side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.folders import RESULTS, samples_in, seed_number, seeds_in
from w2s_factory.records import RESULT, Form, Result, RowSource, Table, read, rows_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from w2s_factory.records import RowsLike

SamplesLike: TypeAlias = "str | os.PathLike[str] | Iterable[RowsLike] | RowsLike"
"""An argument of functions that read a sampled run, see `seed_sources`."""

_SEEDED: Form[dict[str, Any]] = Form("results of several seeds", {"seed": (int,)})

_NAMED = 5


def seed_files(folder: str | os.PathLike[str]) -> list[Path]:
    """`seed*/results.jsonl` below a folder, or below the `t1.0` in it, by the number of the seed.

    Raises:
        UserError: There is no such folder, no seed in it, one seed under two names, or a seed without
            results.
    """
    folder = samples_in(Path(folder))
    if not folder.is_dir():
        raise UserError("no such folder", file=folder)
    found: dict[int, Path] = {}
    for path in seeds_in(folder):
        other = found.setdefault(seed_number(path), path)
        if other != path:
            raise UserError(f"is the same seed as {other.name}", file=path, hint="Remove one of the two")
    files = [path / RESULTS for path in found.values()]
    if not files:
        raise UserError("holds no seed0, seed1, ...", file=folder)
    for path in files:
        if not path.is_file():
            raise UserError(
                "is missing",
                file=path,
                hint=f"Score the seeds first: w2s-factory score takes {folder} as --input",
            )
    return files


def seed_sources(samples: SamplesLike) -> dict[int, RowSource]:
    """Return where each seed's results are, by the number of the seed, in order.

    Args:
        samples: A folder of `seed0/results.jsonl`, `seed1/...`; or the results of each seed, in order (files,
            rows or DataFrames); or the results of all seeds together, whose rows have a `seed`.

    Raises:
        UserError: As `seed_files`; or it is none of these, or holds no seed.
    """
    if isinstance(samples, (str, os.PathLike)):
        return {seed_number(path.parent): path for path in seed_files(samples)}
    if isinstance(samples, Table) or not isinstance(samples, Iterable) or hasattr(samples, "columns"):
        return _by_seed(rows_of(samples, "samples"))  # type: ignore[arg-type]  # rows
    given = list(samples)
    if given and all(isinstance(row, Mapping) for row in given):
        return _by_seed(rows_of(given, "samples"))  # type: ignore[arg-type]  # rows
    if not given:
        raise UserError("holds no seeds", file="samples")
    return {seed: rows_of(one, f"samples of seed {seed}") for seed, one in enumerate(given)}  # type: ignore[arg-type]  # rows


def _by_seed(rows: RowSource) -> dict[int, RowSource]:
    seeds: dict[int, list[dict[str, Any]]] = {}
    for row in read(rows, _SEEDED):
        seeds.setdefault(row["seed"], []).append(row)
    if not seeds:
        raise UserError("holds no rows", file=rows)
    return {seed: Table(f"samples of seed {seed}", seeds[seed]) for seed in sorted(seeds)}


def missing_seeds(seeds: Collection[int]) -> str:
    """Return the names of the seeds missing between the lowest and the highest of some; "" if none is."""
    missing = (f"seed{seed}" for seed in range(min(seeds), max(seeds)) if seed not in seeds)
    names = list(islice(missing, _NAMED))
    more = max(seeds) - min(seeds) + 1 - len(seeds) - len(names)
    return ", ".join([*names, f"and {more:,} more"] if more else names)


def gap_note(name: str, seeds: Collection[int]) -> str | None:
    """Return a sentence that names the missing seeds of a sampled run; None if there is no gap."""
    missing = missing_seeds(seeds)
    return f"seeds are missing in {name} ({missing}); the others are used" if missing else None


def read_together(
    files: Sequence[str | RowSource], form: Form[Result] = RESULT
) -> Iterator[tuple[Result, ...]]:
    """The results of each question in all files; memory does not grow with the number of questions.

    Args:
        files: Results, of the same questions in the same order.
        form: What they must have: a verdict (`RESULT`), or only an answer (`ANSWERED`).

    Raises:
        UserError: A file can't be used, is shorter than another, or has another id in a row.
    """
    for row, results in enumerate(zip_longest(*(read(path, form) for path in files)), 1):
        for path, result in zip(files, results, strict=True):
            _check(path, result, row, _first(results)["id"])
        yield results


def _first(results: Sequence[Any]) -> Any:
    return next(result for result in results if result is not None)


def _check(path: str | RowSource, result: Result | None, row: int, name: int | str) -> None:
    if result is None:
        raise UserError(f"ends before the row with id {name!r} of the others", file=path, row=row)
    if result["id"] != name:
        raise UserError(f"has id {result['id']!r} where others have {name!r}", file=path, row=row, field="id")
