"""Restoration of a run's damaged files: by the steps that wrote them, alone, before anything else is done."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from w2s_factory.building.dataset_files import Rows, dataset_name
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.experiment.damage import find_damage
from w2s_factory.experiment.report.training_curves import recorded_seconds
from w2s_factory.llamafactory import dataset_info
from w2s_factory.llamafactory.dataset_info import RELEASE_DATA
from w2s_factory.records import ANY, Outputs, manifest, read, read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from w2s_factory.experiment.damage import Damage
    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.steps import Step
    from w2s_factory.llamafactory.dataset_info import DatasetEntry, Location
    from w2s_factory.records import PairForm


def restore(
    plan: Plan,
    folder: Path,
    repeat: Callable[[Sequence[Step]], bool],
    environ: Mapping[str, str],
    tell: Callable[[str], None],
    *,
    dry: Callable[[], bool] = lambda: False,
) -> bool:
    """Restore damaged files of a run, and return whether there were any.

    The steps that wrote them are repeated, and nothing that depends on them: whether that is necessary shows
    when the files have their content again. Configs and indexes are written again without their step.

    Args:
        plan: The plan of the run.
        folder: The run's folder.
        repeat: The function that repeats complete steps alone; it returns False if they were not to be done.
        environ: The environment of commands.
        tell: The function that gets a line for each damaged file.
        dry: The function that returns whether nothing is to be done, so that damage is only reported.

    Raises:
        UserError: A file cannot be written.
        DelegateError: A command or step failed.
    """
    records, damaged = unreadable(plan, folder), find_damage(plan, folder, tell)
    indexes = broken_indexes(plan, folder, [each.step for each in damaged])
    if not (records or damaged or indexes):
        return False
    only_report = dry()
    is_or_would = "would be" if only_report else "is"
    for path in records:
        does = f"{is_or_would} deleted; it recorded how a step was run"
        tell(f"{path.relative_to(folder)} cannot be read and {does}")
    for line in _described(damaged, is_or_would):
        tell(line)
    for index in indexes:
        tell(f"{index.relative_to(folder)} does not fit its datasets; it {is_or_would} written again")
    if not only_report:
        for path in records:
            path.unlink()
        _write_indexes(indexes, folder, tell)
        _restore_files(damaged, folder, repeat, environ, tell)
    return True


def _restore_files(
    damaged: Sequence[Damage],
    folder: Path,
    repeat: Callable[[Sequence[Step]], bool],
    environ: Mapping[str, str],
    tell: Callable[[str], None],
) -> None:
    """Write damaged files again, by their commands or their steps."""
    steps = _steps(each for each in damaged if each.command is None)
    for each in damaged:
        if each.command and each.step not in steps:
            _write_again(each, folder, environ)
    if trainings := [step.name for step in steps if step.kind == "train"]:
        how_many = "1 training is" if len(trainings) == 1 else f"{len(trainings):,} trainings are"
        tell(f"{how_many} repeated, which takes as long as before: {', '.join(trainings)}; Ctrl-C stops")
    if steps and repeat(steps):
        _forget_missing(damaged, folder)


def unreadable(plan: Plan, folder: Path) -> list[Path]:
    """Return what is not valid of Snakemake's records of finished steps and of their durations.

    Snakemake ends with an error where a record is not UTF-8, and the report where a duration is not a number.
    Without its record, a step's inputs are compared by time stamp; without its duration, the report leaves a
    step out of its table. A file that the disk does not return, perhaps for a moment, is left as it is.
    """
    records = [path for path in (folder / _RECORDS).rglob("*") if path.is_file()]
    broken = [path for path in records if not _is_valid(read_object, path)]
    durations = [folder / step.benchmark for step in plan.steps if (folder / step.benchmark).is_file()]
    return broken + [path for path in durations if not _is_valid(recorded_seconds, path)]


_RECORDS: Final = ".snakemake/metadata"


def _is_valid(read: Callable[[Path], object], path: Path) -> bool:
    """Return whether a file's content is valid; True if it cannot be read at all."""
    try:
        path.read_bytes()
        read(path)
    except OSError:
        return True
    except UserError:
        return False
    return True


def _steps(damaged: Iterable[Damage]) -> list[Step]:
    """Return the steps that wrote damaged files, each once."""
    return list({each.step.name: each.step for each in damaged}.values())


_NAMED: Final = 10
"""The most damaged files that are named."""


def _described(damaged: Sequence[Damage], is_or_would: str) -> Iterator[str]:
    """Yield a line for each damaged file: what is wrong with it, and what happens."""
    for each in damaged[:_NAMED]:
        then = f"{each.step.name} {is_or_would} repeated"
        then = then if each.command is None else f"it {is_or_would} written again"
        yield f"{each.file} {each.problem}; {then}"
    if len(damaged) > _NAMED:
        yield f"and {len(damaged) - _NAMED:,} more files"


def _write_again(damage: Damage, folder: Path, environ: Mapping[str, str]) -> None:
    """Run the one command that writes a damaged file.

    Raises:
        DelegateError: It failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "w2s_factory", *(damage.command or ())[1:]],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.splitlines() or [""])[-1]
        raise DelegateError(f"{damage.file} cannot be restored: {reason}")


def _forget_missing(damaged: Iterable[Damage], folder: Path) -> None:
    """Remove the lines about files that are missing although their steps were repeated.

    They are lines in which a name is damaged, or about files that steps no longer write.

    Raises:
        UserError: A manifest cannot be written.
    """
    for each in damaged:
        if each.content(folder) is None:
            path = folder / each.file
            manifest.forget(path.parent, [path.name])


Indexes: TypeAlias = "dict[Path, dict[str, DatasetEntry]]"
"""The entries that each index should have, by its path."""


def broken_indexes(plan: Plan, folder: Path, damaged: Collection[Step]) -> Indexes:
    """Return each `dataset_info.json` that lacks the entry of a dataset of the plan, or has another one.

    Manifests do not note indexes, since several commands add to them; an entry follows from its dataset.

    Args:
        plan: The plan of the run.
        folder: The run's folder.
        damaged: The steps that are repeated; they write their entries themselves.
    """
    broken: Indexes = {}
    for path, entries in _expected_indexes(plan, folder, damaged).items():
        found = _index(path)
        readable = found is not None or not path.exists()
        if not readable or any((found or {}).get(name) != entry for name, entry in entries.items()):
            broken[path] = entries
    return broken


def _write_indexes(indexes: Indexes, folder: Path, tell: Callable[[str], None]) -> None:
    """Write indexes again, with their entries of other datasets; keep a copy of one that is not valid.

    Raises:
        UserError: An index cannot be written.
    """
    for path, entries in indexes.items():
        with dataset_info.exclusive(path), Outputs() as outputs:
            found = _index(path)
            if found is None and path.exists():
                kept = _free(path.with_name(f"{path.name}.damaged"))
                path.replace(kept)
                tell(f"its former content, with entries that you added, is in {kept.relative_to(folder)}")
            outputs.index(path, {**(found or {}), **entries}, replace=True)


def _free(path: Path) -> Path:
    """Return a path at which there is no file: this one, or with the lowest number after it."""
    numbered = (path.with_name(f"{path.name}.{number}") for number in count(2))
    return next(each for each in chain([path], numbered) if not each.exists())


def _index(path: Path) -> dict[str, Any] | None:
    """Return the content of an index; None if it is missing or cannot be read."""
    try:
        return read_object(path)
    except UserError:
        return None


def _expected_indexes(plan: Plan, folder: Path, damaged: Collection[Step]) -> Indexes:
    """Return the entries that each index should have: those of the datasets that are there."""
    indexes: Indexes = {}
    for step in plan.steps:
        for file in step.writes:
            if f"/{RELEASE_DATA}/" in file and file.endswith(".json"):
                layout = "release" if "--layout" in step.commands[0] else "folder"
                task = plan.experiment.the_task
                root = dataset_info.root_of(layout, folder / file, task.folder)
                at = dataset_info.place(layout, root, task.folder, Path(file).name)
                name = dataset_name(at.file.stem, task if layout == "release" else None)
                entry = None if step in damaged else _entry(at)
                for index in at.indexes:
                    indexes.setdefault(index, {}).update({name: entry} if entry else {})
    return indexes


def _entry(at: Location) -> DatasetEntry | None:
    """Return the entry of a dataset, by the keys of its first row; None if there is no such file."""
    try:
        first = next(read(at.file, ANY))
    except (UserError, StopIteration):
        return None
    form: PairForm | None = "columns" if "chosen" in first else "release" if "instruction" in first else None
    return Rows([], pair_form=form, system="system" in first).entry(at.file_name)
