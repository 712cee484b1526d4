"""The folder of a run, opened: what it holds, and what is not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from w2s_factory.errors import UserError
from w2s_factory.experiment.contents import CONTENTS, Contents
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator


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
