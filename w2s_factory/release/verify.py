"""Verification of the release: every published file checked on all cores, and rebuilt where possible."""

from __future__ import annotations

import shlex
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.workers import cores
from w2s_factory.errors import UserError, W2SError
from w2s_factory.generating import pick_demonstrations
from w2s_factory.quantities import Workers
from w2s_factory.ranges import check
from w2s_factory.records import Table, read, read_object, read_placed
from w2s_factory.release.published_files import COMMIT, FILES, Published, git_hash
from w2s_factory.release.recipes import full_weak_path, recipe_of, results_path
from w2s_factory.release.sources import ROWS
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from w2s_factory.release.published_files import Published
    from w2s_factory.release.recipes import Way

_AROUND = 25
"""Characters shown to either side of where two texts part."""

_NOTHING = object()


def first_difference(here: Path, made: Path) -> str | None:
    """What differs first between a file and the one made to equal it; None if the bytes are the same."""
    ours, theirs = here.read_bytes(), made.read_bytes()
    if ours == theirs:
        return None
    try:
        found = next(_differences(here, made), None)
    except UserError as error:
        found = str(error)
    return found or _of_bytes(ours, theirs)


def _differences(here: Path, made: Path) -> Iterator[str]:
    if here.name == "dataset_info.json":
        yield from _of_values("entry", read_object(here), read_object(made))
        return
    rows = zip_longest(read_placed(here, ROWS), read_placed(made, ROWS))
    for number, (one, other) in enumerate(rows, 1):
        if one is None or other is None:
            yield f"row {number}: only in the {'one made' if one is None else 'file'}"
        elif one[1] != other[1]:
            name = f"row {number} (id {one[1].get('id')!r})" if "id" in one[1] else f"row {number}"
            yield from _of_values(f"{name}: field", one[1], other[1])


def _of_values(what: str, one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    for key in [*one, *(key for key in other if key not in one)]:
        ours, theirs = one.get(key, _NOTHING), other.get(key, _NOTHING)
        if ours != theirs:
            yield f'{what} "{key}": {_shown(ours, theirs)} here, {_shown(theirs, ours)} made'
    if list(one) != list(other):
        yield f"{what}s in another order"


def _shown(value: Any, other: Any) -> str:
    """A value, of a text the part around the first character that differs."""
    if value is _NOTHING:
        return "none"
    text, against = (item if isinstance(item, str) else repr(item) for item in (value, other))
    parts = next((n for n, (a, b) in enumerate(zip(text, against, strict=False)) if a != b), len(against))
    start = max(0, min(parts, len(text)) - _AROUND)
    piece = text[start : parts + _AROUND]
    return f"{'…' if start else ''}{piece!r}{'…' if parts + _AROUND < len(text) else ''}"


def _of_bytes(ours: bytes, theirs: bytes) -> str:
    """Where bytes part that mean the same rows."""
    parts = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    if parts is None:
        return f"the file has {len(ours):,} bytes, the one made {len(theirs):,}, of which the first agree"
    line = ours[:parts].count(b"\n") + 1
    return f"line {line}: {ours[parts:][:_AROUND]!r} here, {theirs[parts:][:_AROUND]!r} made"


REPRODUCED = "reproduced"
EXCEPT = "reproduced except"
NOT_REPRODUCIBLE = "not reproducible"
NOT_CHECKED = "not checked"
ABSENT = "absent"
DIFFERENT = "different"
CLASSES = (REPRODUCED, EXCEPT, NOT_REPRODUCIBLE, NOT_CHECKED, ABSENT, DIFFERENT)
"""Of a file; DIFFERENT alone is a failure."""


@dataclass(frozen=True)
class Checked:
    """What became of one file, or of another thing the release says.

    Attributes:
        name: The file's path below the root.
        kind: One of `CLASSES`.
        sources: What it was made from.
        kept: What was taken over from the published file (`reproduced except`).
        reason: Why it can't be made, or was not.
        difference: Where it differs first.
    """

    name: str
    kind: str
    sources: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    reason: str | None = None
    difference: str | None = None

    @property
    def detail(self) -> str:
        """The above in words."""
        told = [self.difference] if self.difference else []
        told += [", ".join(self.kept)] if self.kept else []
        told += [f"from {', '.join(self.sources)}"] if self.sources and not self.difference else []
        told += [self.reason] if self.reason else []
        return "; ".join(told)


def check_file(root: Path, file: Published, intact: frozenset[str]) -> Checked:
    """Hold a file against its published hash, and make it again from others.

    Args:
        root: The release's root.
        file: The file, which may be absent.
        intact: The published files that are there with their published bytes: only these are made from.
    """
    if not (root / file.path).exists():
        return Checked(file.path, ABSENT)
    if file.path not in intact:
        return _altered(root, file, intact)
    recipe = recipe_of(file.path)
    failures = []
    for way in recipe.ways:
        if intact.issuperset(way.sources):
            difference = _made(root, file.path, way)
            if difference is None:
                reason = recipe.reason if way.kept else None
                return Checked(file.path, EXCEPT if way.kept else REPRODUCED, way.sources, way.kept, reason)
            failures.append((way, difference))
    for way, difference in failures:
        if way.certain:
            return Checked(
                file.path, DIFFERENT, way.sources, difference=f"this code makes another: {difference}"
            )
    if recipe.reason:
        tried = f" (made from {', '.join(failures[0][0].sources)}: {failures[0][1]})" if failures else ""
        return Checked(file.path, NOT_REPRODUCIBLE, reason=recipe.reason + tried)
    return Checked(file.path, NOT_CHECKED, reason=_missing(root, recipe.ways, intact))


def _made(root: Path, path: str, way: Way) -> str | None:
    """Where a file made in this way first differs from the one that is there; None if it does not."""
    with TemporaryDirectory(prefix="w2s-release-") as folder:
        out = Path(folder, Path(path).name)
        try:
            way.run(root, path, out)
        except (W2SError, LookupError, TypeError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return first_difference(root / path, out)


def _altered(root: Path, file: Published, intact: frozenset[str]) -> Checked:
    """A file whose bytes are not the published ones, with where they part if that can be told."""
    content = (root / file.path).read_bytes()
    found = f"git hash {git_hash(content)[:12]}, published {file.git_hash[:12]}"
    if b"\r\n" in content and git_hash(content.replace(b"\r\n", b"\n")) == file.git_hash:
        return Checked(file.path, DIFFERENT, difference=f"{found}: its line ends were made CRLF")
    for way in recipe_of(file.path).ways:
        if intact.issuperset(way.sources) and (where := _made(root, file.path, way)):
            return Checked(file.path, DIFFERENT, way.sources, difference=f"{found}: {where}")
    where = (
        _unreadable(root / file.path) or "where cannot be told: nothing here that is intact gives this file"
    )
    return Checked(file.path, DIFFERENT, difference=f"{found}: {where}")


def _unreadable(path: Path) -> str | None:
    """What keeps a file from being read as rows; None if it can be."""
    try:
        deque(read(path, ROWS), maxlen=0)
    except W2SError as error:
        return str(error)
    return None


def _missing(root: Path, ways: tuple[Way, ...], intact: frozenset[str]) -> str:
    """Why none of the ways could be gone: of the best, what is missing."""
    lacking = [source for source in ways[0].sources if source not in intact]
    absent = [source for source in lacking if not (root / source).exists()]
    altered = [source for source in lacking if source not in absent]
    told = [f"{', '.join(absent)} not in this tree"] if absent else []
    told += [f"{', '.join(altered)} not as published"] if altered else []
    return "; ".join(told)


BY_HAND = "picked by hand: no draw of the release's sampler gives it"


@dataclass(frozen=True)
class DemonstrationSet:
    """Demonstrations the release names.

    Attributes:
        task: Whose train_2 they are from.
        weak: The weak model whose responses were drawn from; that of the set's name if it was no draw.
        label: Which set it is.
        ids: The rows, in order.
        seed: Of the draw; None if it was none.
        correct_only: Whether it was drawn from the right responses.
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
    """Draw each set of demonstrations again."""
    return [_check(root, one, intact) for one in DEMONSTRATIONS]


def _check(root: Path, wanted: DemonstrationSet, intact: frozenset[str]) -> Checked:
    name = f"demonstrations {wanted.task} {wanted.label}"
    if wanted.seed is None:
        return Checked(name, NOT_REPRODUCIBLE, reason=BY_HAND)
    path = (results_path if wanted.correct_only else full_weak_path)(wanted.task, wanted.weak)
    if path not in intact:
        return Checked(name, NOT_CHECKED, (path,), reason=f"{path} is not in this tree as published")
    try:
        drawn = pick_demonstrations(
            get_task(wanted.task), root / path, seed=wanted.seed, correct_only=wanted.correct_only
        )
    except W2SError as error:
        return Checked(name, DIFFERENT, (path,), difference=str(error))
    ids = tuple(row["id"] for row in drawn)
    if ids != wanted.ids:
        return Checked(name, DIFFERENT, (path,), difference=f"drawn {ids}, published {wanted.ids}")
    return Checked(name, REPRODUCED, (path,))


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
