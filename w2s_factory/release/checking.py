"""One published file: are its bytes the published ones, and does this code make them?"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from w2s_factory.errors import W2SError
from w2s_factory.records import read
from w2s_factory.release.comparing import first_difference
from w2s_factory.release.published import git_hash
from w2s_factory.release.recipes import recipe_of
from w2s_factory.release.sources import ROWS

if TYPE_CHECKING:
    from w2s_factory.release.published import Published
    from w2s_factory.release.recipes import Way

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
