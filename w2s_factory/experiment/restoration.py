"""Restoration of a run's damaged files: by the steps that wrote them, alone, before anything else is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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

    Raises:
        UserError: A file cannot be written.
        DelegateError: A command or step failed.
    """
    for path in drop_unreadable(plan, folder):
        tell(f"{path.relative_to(folder)} cannot be read and is deleted; it recorded how a step was run")
    damaged = find_damage(plan, folder, tell)
    for line in _described(damaged):
        tell(line)
    indexes = restore_indexes(plan, folder, [one.step for one in damaged])
    for index in indexes:
        tell(f"{index.relative_to(folder)} does not fit its datasets; it is written again")
    steps = _steps(one for one in damaged if one.command is None)
    for one in damaged:
        if one.command and one.step not in steps:
            _write_again(one, folder, environ)
    journals = [(one, journal, one.content(folder)) for one in damaged if (journal := one.journal(folder))]
    if steps and repeat(steps):
        _forget_missing(damaged, folder)
    doubtful = [one for one in journals if one[0].content(folder) not in (one[0].sha256, one[2])]
    for one, journal, _ in doubtful:
        tell(f"{one.file} was restored with other content: its journal is damaged, too; it starts over")
        journal.unlink()
    if doubtful:
        repeat(_steps(one for one, *_ in doubtful))
    return bool(damaged or indexes)


def drop_unreadable(plan: Plan, folder: Path) -> list[Path]:
    """Delete what cannot be read of Snakemake's records of finished steps and of their durations.

    Snakemake ends with an error where a record is not UTF-8, and the report where a duration is not a number.
    Without its record, a step's inputs are compared by time stamp; without its duration, the report leaves a
    step out of its table.

    Returns:
        The deleted files.
    """
    records = [path for path in (folder / _RECORDS).rglob("*") if path.is_file()]
    broken = [path for path in records if not _is_read(read_object, path)]
    durations = [folder / step.benchmark for step in plan.steps if (folder / step.benchmark).is_file()]
    broken += [path for path in durations if not _is_read(recorded_seconds, path)]
    for path in broken:
        path.unlink()
    return broken


_RECORDS: Final = ".snakemake/metadata"


def _is_read(read: Callable[[Path], object], path: Path) -> bool:
    try:
        read(path)
    except UserError:
        return False
    return True


def _steps(damaged: Iterable[Damage]) -> list[Step]:
    """Return the steps that wrote damaged files, each once."""
    return list({one.step.name: one.step for one in damaged}.values())


_NAMED: Final = 10
"""The most damaged files that are named."""


def _described(damaged: Sequence[Damage]) -> Iterator[str]:
    """Yield a line for each damaged file: what is wrong with it, and what happens."""
    for one in damaged[:_NAMED]:
        then = f"{one.step.name} is repeated" if one.command is None else "it is written again"
        yield f"{one.file} {one.problem}; {then}"
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
    for one in damaged:
        if one.content(folder) is None:
            manifest.forget(folder / one.file)


def restore_indexes(plan: Plan, folder: Path, damaged: Collection[Step]) -> list[Path]:
    """Write each `dataset_info.json` again that lacks the entry of a dataset of the plan, or has another one.

    Manifests do not note indexes, since several commands add to them; an entry follows from its dataset.
    Entries of other datasets are kept if the index can be read.

    Args:
        plan: The plan of the run.
        folder: The run's folder.
        damaged: The steps that are repeated; they write their entries themselves.

    Returns:
        The indexes that were written.

    Raises:
        UserError: An index cannot be written.
    """
    restored = []
    for path, entries in _expected_indexes(plan, folder, damaged).items():
        found = _index(path)
        readable = found is not None or not path.exists()
        if readable and all((found or {}).get(name) == entry for name, entry in entries.items()):
            continue
        with dataset_info.exclusive(path), Outputs() as outputs:
            outputs.index(path, {**(found or {}), **entries}, replace=True)
        restored.append(path)
    return restored


def _index(path: Path) -> dict[str, Any] | None:
    """Return the content of an index; None if it is missing or cannot be read."""
    try:
        return read_object(path)
    except UserError:
        return None


def _expected_indexes(
    plan: Plan, folder: Path, damaged: Collection[Step]
) -> dict[Path, dict[str, DatasetEntry]]:
    """Return the entries that each index should have: those of the datasets that are there."""
    indexes: dict[Path, dict[str, DatasetEntry]] = {}
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
