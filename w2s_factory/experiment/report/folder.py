"""The folder of a run as a report reads it: the files that its steps wrote, and its manifests."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pydantic import ValidationError

from w2s_factory.errors import UserError
from w2s_factory.experiment.run_contents import CONTENTS, Contents
from w2s_factory.experiment.steps import OURS
from w2s_factory.folders import RESULTS, seeds_in
from w2s_factory.records import Form, content_hash, read, read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST: Final = "manifest.jsonl"
REPORT_FACT: Final = "report_of"
"""The key by which lines about a report's own files are known in a manifest."""

_MODULE: Final = "__main__.py"
"""The name by which manifests note the package where steps call it as `python -m w2s_factory`."""

State: TypeAlias = Literal["unchanged", "changed", "gone", "not checked"]
_LARGEST: Final = 2**28
"""Bytes of the largest file that is hashed for a report; weights of large models are not."""

LINE: Form[Any] = Form("manifest lines", {"file": (str,), "sha256": (str,)})


@dataclass(frozen=True)
class Artefact:
    """A file and its line in the manifest.

    Attributes:
        file: Its path, relative to the run's folder.
        line: The last line about it.
        state: Whether its content is still the one of the line.
    """

    file: Path
    line: Mapping[str, Any]
    state: State

    @property
    def command(self) -> str:
        """Return the command that wrote the file, as it is typed in a shell.

        Steps call the package as `python -m w2s_factory`, which manifests note as `__main__.py`.
        """
        command = self.line.get("command", [])
        if not isinstance(command, list):
            return ""
        return shlex.join(map(str, [OURS, *command[1:]] if command[:1] == [_MODULE] else command))

    @property
    def versions(self) -> dict[str, str]:
        """Return the versions of the packages that the line names."""
        noted = self.line.get("versions")
        found = dict(noted) if isinstance(noted, dict) else {}
        if self.line.get("llamafactory"):
            found["llamafactory"] = self.line["llamafactory"]
        return {name: str(version) for name, version in found.items() if version}


def artefacts(folder: Path) -> list[Artefact]:
    """Return the files that the manifests below a folder name, except those of reports, sorted by path.

    Raises:
        UserError: A manifest cannot be read, or names a file outside its folder.
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
    """Return the manifest's last line about a file with its present content; None if there is none."""
    manifest = path.parent / MANIFEST
    if not (manifest.exists() and path.exists()):
        return None
    now = content_hash(path)
    lines = [line for line in read(manifest, LINE) if (line["file"], line["sha256"]) == (path.name, now)]
    return lines[-1] if lines else None


def versions(found: list[Artefact]) -> dict[str, list[str]]:
    """Return all versions of each package that the manifests name."""
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


_WORDS: Final = {"any_format": "results in any format", "averaged": "further samples"}
"""The files of a model in words, where their names in the contents are not."""


@dataclass(frozen=True)
class Absent:
    """A file that the run names and that does not exist."""

    what: str
    path: Path


@dataclass(frozen=True)
class Run:
    """A run: its folder and its contents."""

    folder: Path
    contents: Contents

    def at(self, path: Path) -> Path:
        """Return the path of a file of the contents."""
        return self.folder / path

    def has(self, *paths: Path | None) -> bool:
        """Return whether all these files are named and exist."""
        return all(path is not None and self.at(path).exists() for path in paths)

    def has_samples(self, folder: Path | None) -> bool:
        """Return whether a folder of samples is named and exists, with results for each seed in it."""
        seeds = [] if folder is None else seeds_in(self.at(folder))
        return bool(seeds) and all((seed / RESULTS).is_file() for seed in seeds)

    def absent(self) -> list[Absent]:
        """Return the files that the run names and that do not exist, in the order of the contents."""
        return [
            Absent(what, path)
            for what, path in self._named()
            if not (self.has_samples(path) if what.endswith("samples") else self.has(path))
        ]

    def files(self) -> list[Path]:
        """Return the existing files that a report reads: those that the run names, and their logs."""
        named = [self.at(path) for _, path in self._named()]
        named += [self.at(path) for job in self.contents.jobs for path in (job.log, job.benchmark) if path]
        return [
            file
            for path in named
            for file in (path, *(seed / RESULTS for seed in seeds_in(path)), path / "trainer_log.jsonl")
            if file.is_file()
        ]

    def _named(self) -> Iterator[tuple[str, Path]]:
        contents = self.contents
        yield "golds", contents.golds
        if contents.train_golds:
            yield "golds of training", contents.train_golds
        for model in contents.models:
            for what in ("results", "any_format", "samples", "averaged", "training"):
                path = getattr(model, what)
                if path and not (what == "averaged" and path == model.samples):
                    words = _WORDS.get(what, what)
                    yield f"{model.label}, seed {model.seed}: {words}", path
        for stage1 in contents.stage1:
            for what in ("weak", "icl", "hybrid"):
                where = f"Stage I, iteration {stage1.iteration}, seed {stage1.seed}"
                yield f"{where}: {what}", getattr(stage1, what)
        for stage2 in contents.stage2:
            for what in ("weak", "samples", "votes", "pairs"):
                yield f"Stage II, seed {stage2.seed}: {what}", getattr(stage2, what)


def open_run(folder: str | Path) -> Run:
    """Open the run in a folder.

    Raises:
        UserError: The folder has no `contents.json`, or one that is not of this form.
    """
    path = Path(folder) / CONTENTS
    if not Path(folder).is_dir():
        raise UserError("is not a folder" if Path(folder).exists() else "no such folder", file=folder)
    if not path.is_file():
        raise UserError(
            "is missing: this is not the folder of a run", file=path, hint="See w2s-factory run --help"
        )
    try:
        return Run(Path(folder), Contents.model_validate(read_object(path)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(first["msg"], file=path, field=where) from None
