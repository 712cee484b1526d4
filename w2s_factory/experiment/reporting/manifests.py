"""What the manifests of a run's folders say of the files in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.records import Form, content_hash, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST: Final = "manifest.jsonl"
REPORT_FACT: Final = "report_of"
"""The fact by which a report's own files are known in a manifest."""

State: TypeAlias = Literal["unchanged", "changed", "gone", "not checked"]
_LARGEST: Final = 2**28
"""Bytes of a file whose content is still hashed for a report: weights of 70 billion parameters are not."""

LINE: Form[Any] = Form("manifest lines", {"file": (str,), "sha256": (str,)})


@dataclass(frozen=True)
class Artefact:
    """A file and what its manifest says of it.

    Attributes:
        file: Its path, relative to the run's folder.
        line: The last line about it.
        state: Whether it is still what the line says.
    """

    file: Path
    line: Mapping[str, Any]
    state: State

    @property
    def command(self) -> str:
        """What made it."""
        command = self.line.get("command", [])
        return " ".join(map(str, command)) if isinstance(command, list) else ""

    @property
    def versions(self) -> dict[str, str]:
        """The versions that mattered."""
        noted = self.line.get("versions")
        found = dict(noted) if isinstance(noted, dict) else {}
        if self.line.get("llamafactory"):
            found["llamafactory"] = self.line["llamafactory"]
        return {name: str(version) for name, version in found.items() if version}


def artefacts(folder: Path) -> list[Artefact]:
    """All files the manifests below a folder name, those of reports left out, by path.

    Raises:
        UserError: A manifest can't be read.
    """
    found = []
    for manifest in sorted(folder.rglob(MANIFEST)):
        last = {line["file"]: line for line in read(manifest, LINE) if REPORT_FACT not in line}
        strange = [name for name in last if Path(name).is_absolute() or ".." in Path(name).parts]
        if strange:
            raise UserError(f"names a file outside its folder: {strange[0]}", file=manifest, field="file")
        found += [_artefact(manifest.parent / name, line, folder) for name, line in last.items()]
    return sorted(found, key=lambda artefact: artefact.file)


def line_of(path: Path) -> Mapping[str, Any] | None:
    """The manifest's last line about a file as it is now; None where there is none."""
    manifest = path.parent / MANIFEST
    if not (manifest.exists() and path.exists()):
        return None
    now = content_hash(path)
    lines = [line for line in read(manifest, LINE) if (line["file"], line["sha256"]) == (path.name, now)]
    return lines[-1] if lines else None


def versions(found: list[Artefact]) -> dict[str, list[str]]:
    """All versions of each package that made something here."""
    every: dict[str, set[str]] = {}
    for name, version in _versions(found):
        every.setdefault(name, set()).add(version)
    return {name: sorted(every[name]) for name in sorted(every)}


def _versions(found: list[Artefact]) -> Iterator[tuple[str, str]]:
    for artefact in found:
        yield from artefact.versions.items()


def _artefact(path: Path, line: Mapping[str, Any], folder: Path) -> Artefact:
    return Artefact(path.relative_to(folder), line, _state(path, line["sha256"]))


def _state(path: Path, noted: str) -> State:
    if not path.is_file():
        return "gone"
    if path.stat().st_size > _LARGEST:
        return "not checked"
    return "unchanged" if content_hash(path) == noted else "changed"
