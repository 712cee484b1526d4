"""Damage to a run's own files: those that differ from what the manifests next to them note."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from w2s_factory.errors import UserError
from w2s_factory.generating.generation_files import JOURNAL, OUTPUT
from w2s_factory.processes import cores, say
from w2s_factory.records import content_hash, manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.steps import Step

_WITH_MANIFEST: Final = ("train", "export")
"""Kinds of steps whose output, for Snakemake, is the manifest next to their weights."""


@dataclass(frozen=True)
class Damage:
    """A file that is not as its step left it.

    Attributes:
        file: The file, relative to the run's folder.
        problem: What is wrong with it, in words.
        step: The step that wrote it.
        command: The one command of the step that writes it again; None if the whole step is repeated.
        sha256: The hash that it should have; None if no manifest notes one.
    """

    file: str
    problem: str
    step: Step
    command: tuple[str, ...] | None = None
    sha256: str | None = None

    def journal(self, folder: Path) -> Path | None:
        """Return the journal from which a damaged `output.jsonl` is written again; None if there is none."""
        path = folder / self.file
        journal = path.with_name(JOURNAL)
        return journal if path.name == OUTPUT and journal.is_file() else None

    def content(self, folder: Path) -> str | None:
        """Return the hash of the file's present content; None if it cannot be read."""
        return _content(folder / self.file)


MISSING: Final = "is missing or cannot be read"


class _Noted(NamedTuple):
    """A file that a manifest notes, with the hash it should have and the step and command that wrote it."""

    file: str
    sha256: str
    step: Step
    command: tuple[str, ...]


_LARGE: Final = 5_000_000_000
"""The bytes from which on the user hears that files are read, which takes some seconds for each gigabyte."""


def find_damage(plan: Plan, folder: Path, tell: Callable[[str], None] = say) -> list[Damage]:
    """Return the files of complete steps that differ from what the manifests in the run's folder note.

    Every noted file is read, since neither size nor time stamp shows a flipped bit. Files without a line in
    a manifest are not compared, and neither are those of steps that Snakemake repeats because an output is
    missing. A missing file counts where Snakemake does not know it: weights, configs, metrics.

    Args:
        plan: The plan of the run.
        folder: The run's folder.
        tell: The function that gets a line if so much is read that it takes a while.
    """
    noted = [*_noted(plan, folder)]
    size = sum(path.stat().st_size for one in noted if (path := folder / one.file).is_file())
    if size > _LARGE:
        tell(f"comparing {size / 1e9:,.0f} GB of files with the hashes in their manifests")
    with ThreadPoolExecutor(cores()) as pool:
        problems = [*pool.map(lambda one: _problem(one, folder), noted)]
    damaged = [
        Damage(one.file, problem, one.step, _alone(one), one.sha256)
        for one, problem in zip(noted, problems, strict=True)
        if problem
    ]
    return [*damaged, *_without_lines(plan, folder)]


def _noted(plan: Plan, folder: Path) -> Iterator[_Noted]:
    """Yield the last line about each file that a complete step of the plan wrote."""
    writers = {file: step for step in plan.steps if _complete(step, folder) for file in step.writes}
    commands = {
        manifest.without_secrets(command[1:]): (step, command)
        for step in plan.steps
        if _complete(step, folder)
        for command in step.commands
    }
    for path in _manifests(folder):
        trained = writers.get(_relative(path, folder))
        for name, said in manifest.last_lines(path.parent).items():
            step, command = commands.get(_words(said), (None, ()))
            file = _relative(path.with_name(name), folder)
            owner = writers.get(file) or trained or step
            if owner is not None:
                hashes = {name: said["sha256"], **_further(said)}
                for each, sha256 in hashes.items():
                    yield _Noted(_relative(path.with_name(each), folder), sha256, owner, command)


def _complete(step: Step, folder: Path) -> bool:
    return all((folder / file).is_file() for file in step.writes)


def _manifests(folder: Path) -> Iterator[Path]:
    """Yield the manifests in a run's folder, except those in hidden folders."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if manifest.NAME in files:
            yield Path(root, manifest.NAME)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _words(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the arguments of the command that a line of a manifest names."""
    command = said.get("command")
    return tuple(map(str, command[1:])) if isinstance(command, list) else ()


def _further(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of the files that belong to weights, by name."""
    files = said.get("files")
    named = files.items() if isinstance(files, dict) else ()
    return {name: sha256 for name, sha256 in named if manifest.is_name(name) and isinstance(sha256, str)}


def _problem(noted: _Noted, folder: Path) -> str | None:
    """Return what is wrong with a file, or None."""
    content = _content(folder / noted.file)
    if content is None:
        return MISSING
    return None if content == noted.sha256 else f"differs from {manifest.NAME} next to it"


def _content(path: Path) -> str | None:
    try:
        return content_hash(path)
    except UserError:
        return None


def _alone(noted: _Noted) -> tuple[str, ...] | None:
    """Return the command that writes a training's config, which takes a second; None for other files."""
    is_config = noted.step.kind in _WITH_MANIFEST and noted.command[1:2] == ("make-config",)
    return noted.command if is_config else None


def _without_lines(plan: Plan, folder: Path) -> Iterator[Damage]:
    """Yield the manifests of weights in which no line can be read, so that the weights cannot be compared."""
    for step in plan.steps:
        if step.kind in _WITH_MANIFEST and _complete(step, folder):
            for file in step.writes:
                path = folder / file
                if path.name == manifest.NAME and not manifest.last_lines(path.parent):
                    yield Damage(file, "has no line that can be read", step)
