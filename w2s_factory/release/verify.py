"""Verification of the release: every published file compared with its hash, and rebuilt where possible."""

from __future__ import annotations

import shlex
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError, W2SError
from w2s_factory.generating import pick_demonstrations
from w2s_factory.processes import cores, with_progress
from w2s_factory.quantities import Workers
from w2s_factory.ranges import check
from w2s_factory.records import Table, read
from w2s_factory.release.benchmark_splits import ROWS
from w2s_factory.release.file_difference import first_difference
from w2s_factory.release.published_files import COMMIT, FILES, Published, git_hash
from w2s_factory.release.rebuild_recipes import full_weak_path, recipe_of, results_path
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from w2s_factory.release.rebuild_recipes import Way

REPRODUCED = "reproduced"
EXCEPT = "reproduced except"
NOT_REPRODUCIBLE = "not reproducible"
NOT_CHECKED = "not checked"
ABSENT = "absent"
DIFFERENT = "different"
CLASSES = (REPRODUCED, EXCEPT, NOT_REPRODUCIBLE, NOT_CHECKED, ABSENT, DIFFERENT)
"""The classes of files and draws; DIFFERENT alone is a failure."""


@dataclass(frozen=True)
class Checked:
    """A file, or a draw, with the result of its check.

    Attributes:
        name: The file's path below the root, or the name of the draw.
        kind: One of `CLASSES`.
        sources: The published files it was rebuilt from.
        kept: The fields copied from the published file (`reproduced except`).
        reason: The reason why it can't be rebuilt, or was not.
        difference: The first difference.
    """

    name: str
    kind: str
    sources: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    reason: str | None = None
    difference: str | None = None

    @property
    def detail(self) -> str:
        """The difference, the fields kept, the sources and the reason, in words."""
        texts = [self.difference] if self.difference else []
        texts += [", ".join(self.kept)] if self.kept else []
        texts += [f"from {', '.join(self.sources)}"] if self.sources and not self.difference else []
        texts += [self.reason] if self.reason else []
        return "; ".join(texts)

    def as_json(self, name_key: str) -> dict[str, Any]:
        """Return the check as values that `json` can write, with the name under the key given."""
        return {
            name_key: self.name,
            "class": self.kind,
            "from": list(self.sources),
            "except": list(self.kept),
            "because": self.reason,
            "difference": self.difference,
        }


@dataclass(frozen=True)
class Verification:
    """The published files and draws of a copy of the release, each with the result of its check.

    Attributes:
        root: The root of the copy.
        commit: The release's commit whose files are known.
        files: Every published file, in the order of the tree.
        draws: The sets of demonstrations that the release names.
    """

    root: Path
    commit: str
    files: list[Checked]
    draws: list[Checked]

    @property
    def ok(self) -> bool:
        """Whether no file and no draw differs."""
        return all(checked.kind != DIFFERENT for checked in [*self.files, *self.draws])

    @property
    def counts(self) -> dict[str, int]:
        """The number of files in each class."""
        return dict(Counter(file.kind for file in self.files))

    def to_frame(self) -> pd.DataFrame:
        """Return the files as a DataFrame."""
        return Table("files", (file.as_json("path") for file in self.files)).to_frame()

    def as_json(self) -> dict[str, Any]:
        """Return the verification as values that `json` can write."""
        return {
            "root": str(self.root),
            "commit": self.commit,
            "ok": self.ok,
            "counts": self.counts,
            "files": [file.as_json("path") for file in self.files],
            "draws": [draw.as_json("name") for draw in self.draws],
        }


def verify_release(
    root: str | Path, *, workers: Workers | None = None, files: Mapping[str, Published] = FILES
) -> Verification:
    """Compare every data file of a copy of the release with its published hash, and rebuild it from others.

    A part of the release can be verified too: files whose sources are absent are then not checked. Nothing
    is written into the copy.

    Args:
        root: The root of the copy.
        workers: The number of processes; by default one for each core this process may use.
        files: The published files, by path.

    Raises:
        UserError: None of the files is below the root.
    """
    check(workers, Workers | None, "workers")
    root = Path(root)
    if not any((root / path).is_file() for path in files):
        raise UserError(
            "holds none of the release's data files", file=root, hint=f"Fetch it: {_fetch_command(root)}"
        )
    with ProcessPoolExecutor(workers or cores()) as pool:
        paths = [root / path for path in files]
        same = pool.map(_is_intact, paths, files.values())
        intact = frozenset(path for path, is_same in zip(files, same, strict=True) if is_same)
        draws = pool.submit(check_draws, root, intact)
        jobs = [pool.submit(check_file, root, file, intact) for file in files.values()]
        checked = [job.result() for job in with_progress(jobs, "files", "file")]
        return Verification(root, COMMIT, checked, draws.result())


def lacks_tiktoken(found: Verification) -> bool:
    """Return whether a verification took token counts from the release because tiktoken is missing."""
    kept = any(field.startswith("num_tokens ") for file in found.files for field in file.kept)
    return kept and find_spec("tiktoken") is None


def _fetch_command(root: Path) -> str:
    """Return the command that clones the release into the folder named, or next to it if it exists."""
    folder = root.absolute()
    while folder.exists():
        folder = folder.with_name(f"{folder.name or 'copy'}_release")
    named = root if folder == root.absolute() else folder
    return shlex.join(["w2s-factory", "fetch", "release", "--output-dir", str(named)])


def _is_intact(path: Path, file: Published) -> bool:
    """Return whether a file exists with its published bytes."""
    return path.is_file() and git_hash(path.read_bytes()) == file.git_hash


def check_file(root: Path, file: Published, intact: frozenset[str]) -> Checked:
    """Compare a file with its published hash, and rebuild it from others.

    Args:
        root: The release's root.
        file: The file, which may be absent.
        intact: The paths of the files that have their published bytes; no others are used as sources.
    """
    if not (root / file.path).exists():
        return Checked(file.path, ABSENT)
    if file.path not in intact:
        return _altered(root, file, intact)
    recipe = recipe_of(file.path)
    failures = []
    for way in recipe.ways:
        if intact.issuperset(way.sources):
            difference = _rebuilt_difference(root, file.path, way)
            if difference is None:
                reason = recipe.reason if way.kept else None
                return Checked(file.path, EXCEPT if way.kept else REPRODUCED, way.sources, way.kept, reason)
            failures.append((way, difference))
    for way, difference in failures:
        if way.certain:
            text = f"this code makes another: {difference}"
            return Checked(file.path, DIFFERENT, way.sources, difference=text)
    if recipe.reason:
        tried = f" (rebuilt from {', '.join(failures[0][0].sources)}: {failures[0][1]})" if failures else ""
        return Checked(file.path, NOT_REPRODUCIBLE, reason=recipe.reason + tried)
    return Checked(file.path, NOT_CHECKED, reason=_unusable_sources(root, recipe.ways[0], intact))


def _rebuilt_difference(root: Path, path: str, way: Way) -> str | None:
    """Return the first difference between a file and the one rebuilt in this way; None if they are equal."""
    with TemporaryDirectory(prefix="w2s-release-") as folder:
        out = Path(folder, Path(path).name)
        try:
            way.run(root, path, out)
        except (W2SError, LookupError, TypeError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return first_difference(root / path, out)


def _altered(root: Path, file: Published, intact: frozenset[str]) -> Checked:
    """Return the check of a file that was changed, with the first difference if it can be found."""
    content = (root / file.path).read_bytes()
    hashes = f"git hash {git_hash(content)[:12]}, published {file.git_hash[:12]}"
    if b"\r\n" in content and git_hash(content.replace(b"\r\n", b"\n")) == file.git_hash:
        return Checked(file.path, DIFFERENT, difference=f"{hashes}: its line ends were changed to CRLF")
    for way in recipe_of(file.path).ways:
        if intact.issuperset(way.sources) and (where := _rebuilt_difference(root, file.path, way)):
            return Checked(file.path, DIFFERENT, way.sources, difference=f"{hashes}: {where}")
    unknown = "the place is unknown, because no intact file gives this one"
    return Checked(file.path, DIFFERENT, difference=f"{hashes}: {_read_error(root / file.path) or unknown}")


def _read_error(path: Path) -> str | None:
    """Return the reason why a file can't be read as rows; None if it can."""
    try:
        deque(read(path, ROWS), maxlen=0)
    except W2SError as error:
        return str(error)
    return None


def _unusable_sources(root: Path, way: Way, intact: frozenset[str]) -> str:
    """Return which sources of a way are absent or altered, in words."""
    unusable = [source for source in way.sources if source not in intact]
    absent = [source for source in unusable if not (root / source).exists()]
    altered = [source for source in unusable if source not in absent]
    texts = [f"{', '.join(absent)} not in this tree"] if absent else []
    texts += [f"{', '.join(altered)} not as published"] if altered else []
    return "; ".join(texts)


@dataclass(frozen=True)
class DemonstrationSet:
    """A set of demonstrations that the release names.

    Attributes:
        task: The task from whose train_2 they are taken.
        weak: The weak model whose responses were drawn from; if they were not drawn, the one in its name.
        label: The set's name.
        ids: The ids of the rows, in order.
        seed: The seed of the draw; None if they were picked by hand.
        correct_only: Whether they were drawn from the right responses alone.
    """

    task: str
    weak: str
    label: str
    ids: tuple[int, ...]
    seed: int | None = None
    correct_only: bool = False


DEMONSTRATIONS = (
    DemonstrationSet("gsm8k", "llama2_7b", "llama2_7b and mistral_7b", (2619, 456, 102, 3037)),
    DemonstrationSet("gsm8k", "gemma_2b", "gemma_2b, random (used)", (3401, 173, 354, 6272), 42),
    DemonstrationSet("gsm8k", "gemma_2b", "gemma_2b, careful", (2619, 102, 3037, 1126)),
    DemonstrationSet(
        "gsm8k", "gemma_2b", "gemma_2b, random correct", (4071, 6058, 650, 4889), 24, correct_only=True
    ),
    DemonstrationSet("math", "llama2_7b", "llama2_7b", (883, 4166, 1433, 3722), 24),
    DemonstrationSet("math", "gemma_2b", "gemma_2b and mistral_7b", (4162, 5457, 5178, 5737), 42),
)


def check_draws(root: Path, intact: frozenset[str]) -> list[Checked]:
    """Draw each set of demonstrations again and compare it with the published one."""
    return [_check_draw(root, published, intact) for published in DEMONSTRATIONS]


def _check_draw(root: Path, published: DemonstrationSet, intact: frozenset[str]) -> Checked:
    name = f"demonstrations {published.task} {published.label}"
    if published.seed is None:
        reason = "picked by hand: no seed of the release's sampler gives these rows"
        return Checked(name, NOT_REPRODUCIBLE, reason=reason)
    path = (results_path if published.correct_only else full_weak_path)(published.task, published.weak)
    if path not in intact:
        return Checked(name, NOT_CHECKED, (path,), reason=f"{path} is not in this tree as published")
    try:
        drawn = pick_demonstrations(
            get_task(published.task), root / path, seed=published.seed, correct_only=published.correct_only
        )
    except W2SError as error:
        return Checked(name, DIFFERENT, (path,), difference=str(error))
    ids = tuple(row["id"] for row in drawn)
    if ids != published.ids:
        return Checked(name, DIFFERENT, (path,), difference=f"drawn {ids}, published {published.ids}")
    return Checked(name, REPRODUCED, (path,))
