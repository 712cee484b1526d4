"""The folder of a run as a report reads it: what its steps left, and what its manifests say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pydantic import ValidationError

from w2s_factory.errors import UserError
from w2s_factory.experiment.run_contents import CONTENTS, Contents
from w2s_factory.records import Form, content_hash, read, read_object

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


@dataclass(frozen=True)
class Absent:
    """A file the run names that is not there."""

    what: str
    path: Path


@dataclass(frozen=True)
class Run:
    """A run's folder and its contents."""

    folder: Path
    contents: Contents

    def at(self, path: Path) -> Path:
        """Where a file of the contents lies."""
        return self.folder / path

    def has(self, *paths: Path | None) -> bool:
        """Whether all these files are named and there."""
        return all(path is not None and self.at(path).exists() for path in paths)

    def has_samples(self, folder: Path | None) -> bool:
        """Whether a folder of seeds is named and there, and every seed in it scored."""
        seeds = [] if folder is None else list(self.at(folder).glob("seed*"))
        return bool(seeds) and all((seed / "results.jsonl").is_file() for seed in seeds)

    def absent(self) -> list[Absent]:
        """What the run names and is not there, in the order of the contents."""
        return [
            Absent(what, path)
            for what, path in self._named()
            if not (self.has_samples(path) if what.endswith("samples") else self.has(path))
        ]

    def files(self) -> list[Path]:
        """Return the files a report reads that are there: those the run names and their logs."""
        named = [self.at(path) for _, path in self._named()]
        named += [self.at(path) for job in self.contents.jobs for path in (job.log, job.benchmark) if path]
        inside = ["seed*/results.jsonl", "trainer_log.jsonl"]
        return [
            file
            for path in named
            for file in (path, *(found for pattern in inside for found in path.glob(pattern)))
            if file.is_file()
        ]

    def _named(self) -> Iterator[tuple[str, Path]]:
        contents = self.contents
        yield "golds", contents.golds
        if contents.train_golds:
            yield "golds of training", contents.train_golds
        for model in contents.models:
            for what in ("results", "any_format", "samples", "training"):
                if path := getattr(model, what):
                    words = what.replace("any_format", "results in any format")
                    yield f"{model.label}, seed {model.seed}: {words}", path
        for one in contents.stage1:
            for what in ("weak", "icl", "hybrid"):
                yield f"Stage I, iteration {one.iteration}, seed {one.seed}: {what}", getattr(one, what)
        for two in contents.stage2:
            for what in ("weak", "samples", "votes", "pairs"):
                yield f"Stage II, seed {two.seed}: {what}", getattr(two, what)


def open_run(folder: str | Path) -> Run:
    """The run in a folder.

    Raises:
        UserError: It has no `contents.json`, or one that is not of this form.
    """
    path = Path(folder) / CONTENTS
    if not Path(folder).is_dir():
        raise UserError("no such folder", file=folder)
    if not path.is_file():
        raise UserError(
            "is missing: this is not the folder of a run", file=path, hint="Make one: w2s-factory run --help"
        )
    try:
        return Run(Path(folder), Contents.model_validate(read_object(path)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(first["msg"], file=path, field=where) from None
