"""Samples by seed: the scored results of each seed, found in folders or given, and read in parallel."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.folders import RESULTS, samples_in, seed_number, seeds_in
from w2s_factory.records import RESULT, Form, Result, RowSource, Table, read, read_placed, rows_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from w2s_factory.records import Id, Place, RowsLike

SamplesLike: TypeAlias = "str | os.PathLike[str] | Iterable[RowsLike] | RowsLike"
"""An argument of functions that read samples of several seeds, see `seed_sources`."""

_SEEDED: Form[dict[str, Any]] = Form("results of several seeds", {"seed": (int,)})

_NAMED = 5

SAME_GOLDS = "Both must answer the same questions and be scored with the same golds"
"""The hint where results that belong together do not."""


def seed_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return `seed*/results.jsonl` below a folder, or below the `t1.0` in it, in the order of the seeds.

    Raises:
        UserError: The folder does not exist, has no seed or one seed under two names, or a seed has no
            results.
    """
    folder = samples_in(Path(folder))
    if not folder.is_dir():
        raise UserError("is not a folder" if folder.exists() else "no such folder", file=folder)
    found: dict[int, Path] = {}
    for path in seeds_in(folder):
        other = found.setdefault(seed_number(path), path)
        if other != path:
            raise UserError(f"is the same seed as {other.name}", file=path, hint="Remove either of them")
    files = [path / RESULTS for path in found.values()]
    if not files:
        raise UserError("holds no seed0, seed1, ...", file=folder, hint="Name a folder of scored samples")
    for path in files:
        if not path.is_file():
            raise UserError(
                "is missing",
                file=path,
                hint=f"Score the seeds first: w2s-factory score takes {folder} as --input",
            )
    return files


def seed_sources(samples: SamplesLike) -> dict[int, RowSource]:
    """Return the results of each seed, by the number of the seed and in this order.

    Args:
        samples: A folder of `seed0/results.jsonl`, `seed1/...`; or the results of each seed, in order (files,
            rows or DataFrames); or the results of all seeds together, whose rows have a `seed`.

    Raises:
        UserError: As `seed_files`; or it is none of these, or has no seed.
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
    return {seed: rows_of(rows, f"samples of seed {seed}") for seed, rows in enumerate(given)}  # type: ignore[arg-type]  # rows


def _by_seed(rows: RowSource) -> dict[int, RowSource]:
    """Return rows that have a `seed` by it."""
    seeds: dict[int, list[dict[str, Any]]] = {}
    for row in read(rows, _SEEDED):
        seeds.setdefault(row["seed"], []).append(row)
    if not seeds:
        raise UserError("holds no rows", file=rows)
    return {seed: Table(f"samples of seed {seed}", seeds[seed]) for seed in sorted(seeds)}


def missing_seeds(seeds: Collection[int]) -> str:
    """Return the names of the seeds missing between the lowest and the highest; "" if none is."""
    missing = (f"seed{seed}" for seed in range(min(seeds), max(seeds)) if seed not in seeds)
    names = list(islice(missing, _NAMED))
    more = max(seeds) - min(seeds) + 1 - len(seeds) - len(names)
    return ", ".join([*names, f"and {more:,} more"] if more else names)


def gap_note(name: str, seeds: Collection[int]) -> str | None:
    """Return a sentence that names the missing seeds of samples; None if no seed is missing."""
    missing = missing_seeds(seeds)
    return f"seeds are missing in {name} ({missing}); the others are used" if missing else None


def read_together(
    files: Sequence[str | RowSource], form: Form[Result] = RESULT
) -> Iterator[tuple[Result, ...]]:
    """Yield the results of each question, one from each file.

    Memory does not grow with the number of questions.

    Args:
        files: Results of the same questions in the same order.
        form: The form of the rows: with a verdict (`RESULT`), or with an answer at least (`ANSWERED`).

    Raises:
        UserError: A file cannot be read, is shorter than another, or has another id or gold answer in a row.
    """
    for placed in zip_longest(*(read_placed(path, form) for path in files)):
        row_id = next(row["id"] for _, row in filter(None, placed))
        gold = next((row.get("gold") for _, row in filter(None, placed)), None)
        results = [_result(path, found, row_id, gold) for path, found in zip(files, placed, strict=True)]
        yield tuple(results)


def _result(path: str | RowSource, found: tuple[Place, Result] | None, row_id: Id, gold: object) -> Result:
    """Return the result of a question in one file, which must be there and have the same gold answer."""
    if found is None:
        raise UserError(f"ends before the row with id {row_id!r} of the other seeds", file=path)
    place, result = found
    if result["id"] != row_id:
        raise place.error(f"expected {row_id!r} as in the other seeds, got {result['id']!r}", field="id")
    if error := other_gold(place, result, gold, "the other seeds"):
        raise error
    return result


def other_gold(place: Place, result: Result, gold: object, source: str | RowSource) -> UserError | None:
    """Return the error that a result has another gold answer than a source; None if one is not known."""
    own = result.get("gold")
    if own == gold or None in (own, gold):
        return None
    return place.error(f"expected {gold!r} as in {source}, got {own!r}", field="gold", hint=SAME_GOLDS)
