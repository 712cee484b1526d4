"""`dataset_info.json`: its entries, merging them in, and where it is in relation to a dataset's file."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.llamafactory.versions import PreferenceForm

NAME = "dataset_info.json"

DatasetEntry: TypeAlias = dict[str, Any]

_PAIR_COLUMNS = {
    "list": {"response": "output"},
    "columns": {"chosen": "chosen", "rejected": "rejected"},
}
_DEFAULT_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
_DATASET_NAME = re.compile(r"[\w.-]+")


def sft_entry(file_name: str | Path) -> DatasetEntry:
    """The entry of a supervised dataset, as the release writes it.

    Every column in use is named: once `columns` stands in an entry, LLaMA-Factory knows no others.

    Args:
        file_name: The file, relative to the folder LLaMA-Factory is given as `dataset_dir`.
    """
    return {"file_name": _inside(str(file_name)), "columns": {"prompt": "content", "response": "output"}}


def pair_entry(file_name: str | Path, form: PreferenceForm = "list") -> DatasetEntry:
    """The entry of a preference dataset.

    Args:
        file_name: The file, relative to `dataset_dir`.
        form: `list`: `output` holds [chosen, rejected], as in the release, for LLaMA-Factory up to
            0.7.1. `columns`: `chosen` and `rejected` stand apart, for 0.8.0 and newer.
    """
    columns = {"prompt": "instruction", "query": "input", **_PAIR_COLUMNS[form]}
    return {"file_name": _inside(str(file_name)), "ranking": True, "columns": columns}


def columns_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """The columns of an entry, by role. Once it names any, LLaMA-Factory knows no others.

    Raises:
        UserError: `columns` is something else than names by role.
    """
    columns = entry.get("columns", _DEFAULT_COLUMNS)
    if not isinstance(columns, dict) or not all(isinstance(name, str | None) for name in columns.values()):
        raise UserError("`columns` must be an object that names a column for each role")
    return {role: name for role, name in columns.items() if name}


def all_merged(
    paths: Sequence[Path], entries: Mapping[str, DatasetEntry], *, force: bool = False
) -> dict[Path, dict[str, DatasetEntry]]:
    """As `merged`, for indexes that list the same files: one that is not there starts from the first."""
    return {path: merged(path, entries, force=force, start=paths[0]) for path in paths}


def merged(
    path: str | Path,
    entries: Mapping[str, DatasetEntry],
    *,
    force: bool = False,
    start: str | Path | None = None,
) -> dict[str, DatasetEntry]:
    """What the index at `path` shall hold with `entries` in it; nothing is written.

    Entries that are there stay, in their order; new ones follow. While other processes may write the
    same index, hold `exclusive(path)` from here until it is written.

    Args:
        path: A `dataset_info.json`, which need not exist.
        entries: Entries by dataset name.
        force: Let entries change that are there already.
        start: The index to start from where there is none at `path`.

    Raises:
        UserError: The index is not a JSON object, an entry would change without `force`, or a name
            or file name cannot be used.
    """
    if start is not None and not Path(path).exists():
        path = start
    index = read_object(path) if Path(path).exists() else {}
    for name, entry in entries.items():
        _check_name(name)
        _inside(entry["file_name"])
        if not force and index.get(name, entry) != entry:
            raise UserError(
                f'dataset "{name}" is there already and would change',
                file=path,
                hint="Replace it with --force, or choose another name",
            )
    return {**index, **entries}


@contextlib.contextmanager
def exclusive(*paths: str | Path) -> Iterator[None]:
    """Keep other processes that ask likewise from changing the indexes at `paths`, across machines too.

    A file `.dataset_info.json.lock` stays in the folder of each.

    Raises:
        UserError: A lock file is a link or a folder, or cannot be locked.
    """
    from filelock import FileLock  # noqa: PLC0415  costs time that most commands need not pay

    with contextlib.ExitStack() as held:
        for path in sorted(Path(path).absolute() for path in paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.with_name(f".{path.name}.lock")
            try:
                held.enter_context(FileLock(lock))
            except OSError as error:
                raise _not_lockable(lock, error) from None
        yield


def _not_lockable(lock: Path, error: OSError) -> UserError:
    """Return what to say of a lock file that cannot be held."""
    kind = "a link" if lock.is_symlink() else "a folder" if lock.is_dir() else None
    if kind is None:
        return UserError(f"cannot be locked ({error.strerror})", file=lock)
    return UserError(f"expected a lock file, got {kind}", file=lock, hint="Remove it, then try again")


def _check_name(name: str) -> None:
    if not _DATASET_NAME.fullmatch(name):
        raise UserError(
            f'"{name}" cannot name a dataset: LLaMA-Factory separates names by commas',
            hint="Use letters, digits, and the signs _ . -",
        )


def _inside(file_name: str) -> str:
    """`file_name`, if it stays inside the folder it is relative to."""
    parts = PurePosixPath(file_name).parts
    if not parts or file_name.startswith("/") or ".." in parts or "\\" in file_name:
        raise UserError(
            f'"{file_name}" must be a file below the folder of the index, named relative to it',
            field="file_name",
        )
    return file_name


LAYOUTS = ("folder", "release")

RELEASE_DATA = PurePosixPath("data/llama_factory")
"""Where the release keeps its datasets, below its root."""


@dataclass(frozen=True)
class Location:
    """Where one dataset goes.

    Attributes:
        file: The dataset's file.
        file_name: What its entry calls it, relative to `dataset_dir`.
        indexes: Every `dataset_info.json` that gets the entry.
        dataset_dir: The folder to name to LLaMA-Factory, absolute.
    """

    file: Path
    file_name: str
    indexes: tuple[Path, ...]
    dataset_dir: Path


def place(layout: str, output_dir: str | Path, folder: str, name: str) -> Location:
    """Where a dataset goes in a layout.

    `folder` puts file and index beside each other in `output_dir`. `release` takes `output_dir` for the
    release's root and puts the file in `data/llama_factory/FOLDER`. There the release's own index names
    files from the root, which LLaMA-Factory finds only if `dataset_dir` is the root; so the root gets
    the same index, from the first of `indexes` where it has none yet.

    Args:
        layout: `folder` or `release`.
        output_dir: The folder, or the release's root.
        folder: The task's folder in the release (`gsm8k`).
        name: The file's own name.

    Raises:
        UserError: There is no such layout.
    """
    root = Path(output_dir).expanduser().absolute()
    if layout == "folder":
        return Location(root / name, name, (root / NAME,), root)
    if layout == "release":
        file_name = str(RELEASE_DATA / folder / name)
        indexes = (root / RELEASE_DATA / NAME, root / NAME)
        return Location(root / file_name, file_name, indexes, root)
    raise UserError(f'no layout "{layout}"', hint=f"Layouts: {', '.join(LAYOUTS)}")


def root_of(layout: str, file: str | Path, folder: str) -> Path:
    """The folder to hand to `place` so that a dataset lies at `file`.

    Raises:
        UserError: In the `release` layout, `file` does not lie in `data/llama_factory/FOLDER`.
    """
    file = Path(file).expanduser().absolute()
    if layout != "release":
        return file.parent
    inside = RELEASE_DATA / folder
    if not file.parent.as_posix().endswith(f"/{inside}"):
        raise UserError(f"in the layout release this file belongs in {inside}", file=file)
    return file.parents[len(inside.parts)]
