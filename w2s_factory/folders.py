"""The files and folders that commands look for where a folder is named, by their usual names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

OUTPUT, RESULTS, VOTES = "output.jsonl", "results.jsonl", "majority_voting_results.jsonl"

DATA_DIR = "w2s-data"
"""The folder into which `build-data` writes unless another one is named."""

_SEED, _TEMPERATURE = re.compile(r"seed([0-9]+)"), re.compile(r"t[0-9.]+")


def results_in(path: Path) -> Path:
    """Return a file of results: the path, or `results.jsonl` in the folder.

    Raises:
        UserError: The folder has no such file.
    """
    return _file_in(path, (RESULTS,), "w2s-factory score makes it from an output.jsonl")


def responses_in(path: Path) -> Path:
    """Return a file of responses: the path, or in the folder `results.jsonl` or else `output.jsonl`.

    Raises:
        UserError: The folder has no such file.
    """
    return _file_in(path, (RESULTS, OUTPUT), "w2s-factory generate writes output.jsonl into its --output-dir")


def outputs_in(path: Path) -> Path:
    """Return a file of responses to score: the path, or `output.jsonl` in the folder.

    Raises:
        UserError: The folder has no such file.
    """
    return _file_in(path, (OUTPUT,), "w2s-factory generate writes it into its --output-dir")


def votes_in(path: Path) -> Path:
    """Return a majority file: the path, or `majority_voting_results.jsonl` in the folder or its `t1.0`.

    Raises:
        UserError: The folder has no such file.
    """
    hint = "w2s-factory vote writes it from scored samples"
    return _file_in(samples_in(path) if path.is_dir() else path, (VOTES,), hint)


def samples_in(folder: Path) -> Path:
    """Return the folder that holds `seed0`, `seed1`, ...: the named one, or its only `t1.0`, `t0.7`, ...

    A folder without seeds is returned as it is: the function that reads it reports what is missing.

    Raises:
        UserError: The folder holds samples of several temperatures.
    """
    if seeds_in(folder) or not folder.is_dir():
        return folder
    found = [
        path for path in sorted(folder.iterdir()) if _TEMPERATURE.fullmatch(path.name) and seeds_in(path)
    ]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(
            f"holds samples of several temperatures ({names})", file=folder, hint=f"Name one: {found[0]}"
        )
    return found[0] if found else folder


def seeds_in(folder: Path) -> list[Path]:
    """Return the folders `seed0`, `seed1`, ... directly in a folder, in the order of their numbers.

    Links that lead nowhere are among them, so that what reads the seeds reports them; files are not.
    """
    if not folder.is_dir():
        return []
    seeds = [path for path in folder.iterdir() if _SEED.fullmatch(path.name) and not path.is_file()]
    return sorted(seeds, key=lambda path: (seed_number(path), path))


def seed_number(folder: Path) -> int:
    """Return the number in the name of a seed's folder.

    Raises:
        ValueError: The folder is not named like a seed's.
    """
    return int(folder.name.removeprefix("seed"))


def _file_in(path: Path, names: tuple[str, ...], hint: str) -> Path:
    """Return the first of these files in a folder, or in the folder of its only seed; a file as it is."""
    if not path.is_dir():
        return path
    for folder in (path, *_only_seed(path)):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise UserError(f"is a folder without {' or '.join(names)}", file=path, hint=hint)


def _only_seed(folder: Path) -> list[Path]:
    """Return the folder of the only seed (`t0.6/seed0`), as one sampled answer to each question leaves it."""
    seeds = seeds_in(samples_in(folder))
    return seeds if len(seeds) == 1 else []
