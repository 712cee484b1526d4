"""The whole release: every published file checked, on all cores."""

from __future__ import annotations

import shlex
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.quantities import Workers
from w2s_factory.ranges import check
from w2s_factory.records import Table
from w2s_factory.release.checking import DIFFERENT, Checked, check_file
from w2s_factory.release.draws import check_draws
from w2s_factory.release.published import COMMIT, FILES, Published, git_hash
from w2s_factory.scoring.workers import cores

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


@dataclass(frozen=True)
class Verification:
    """What of the release is reproduced.

    Attributes:
        root: The tree looked at.
        commit: The release's commit whose files are known.
        files: Every published file, in the order of the tree.
        draws: What else the release drew from its files: the GSM8K split, demonstrations.
    """

    root: Path
    commit: str
    files: list[Checked]
    draws: list[Checked]

    @property
    def ok(self) -> bool:
        """Whether nothing that is there differs."""
        return all(one.kind != DIFFERENT for one in [*self.files, *self.draws])

    @property
    def counts(self) -> dict[str, int]:
        """How many files there are of each class."""
        return dict(Counter(one.kind for one in self.files))

    def to_frame(self) -> pd.DataFrame:
        """Return the files as a DataFrame."""
        return Table("files", (_plain("path", one) for one in self.files)).to_frame()

    def as_json(self) -> dict[str, Any]:
        """All of it in plain values."""
        return {
            "root": str(self.root),
            "commit": self.commit,
            "ok": self.ok,
            "counts": self.counts,
            "files": [_plain("path", one) for one in self.files],
            "draws": [_plain("name", one) for one in self.draws],
        }


def _plain(key: str, one: Checked) -> dict[str, Any]:
    return {
        key: one.name,
        "class": one.kind,
        "from": list(one.sources),
        "except": list(one.kept),
        "because": one.reason,
        "difference": one.difference,
    }


def verify_release(
    root: str | Path, *, workers: Workers | None = None, files: Mapping[str, Published] = FILES
) -> Verification:
    """Hold every data file of a copy of the release against its published hash, and make it again.

    Works on a part of the release too: what needs absent files is then not checked. Nothing is written.

    Args:
        root: The root of the copy.
        workers: Processes; by default one for each core this process may use.
        files: The files that are published, by path.

    Raises:
        UserError: None of the files is below the root.
    """
    check(workers, Workers | None, "workers")
    root = Path(root)
    if not any((root / path).is_file() for path in files):
        raise UserError(
            "holds none of the release's data files",
            file=root,
            hint=f"Fetch it: {_fetching(root)}",
        )
    from tqdm import tqdm  # noqa: PLC0415  only long work shows progress

    with ProcessPoolExecutor(workers or cores()) as pool:
        paths = [root / path for path in files]
        intact = frozenset(
            path for path, same in zip(files, pool.map(_intact, paths, files.values()), strict=True) if same
        )
        draws = pool.submit(check_draws, root, intact)
        jobs = [pool.submit(check_file, root, file, intact) for file in files.values()]
        checked = [job.result() for job in tqdm(jobs, "files", unit="file", leave=False, disable=None)]
        return Verification(root, COMMIT, checked, draws.result())


def _fetching(root: Path) -> str:
    """The command that clones the release: into the folder named if that is new, else into one beside it."""
    folder = root.absolute()
    while folder.exists():
        folder = folder.with_name(f"{folder.name or 'copy'}_release")
    named = root if folder == root.absolute() else folder
    return shlex.join(["w2s-factory", "fetch", "release", "--output-dir", str(named)])


def _intact(path: Path, file: Published) -> bool:
    """Whether a file is there with its published bytes."""
    return path.is_file() and git_hash(path.read_bytes()) == file.git_hash
