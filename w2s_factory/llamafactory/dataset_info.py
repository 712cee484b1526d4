"""The index `dataset_info.json`: its entries, adding entries to it, and where it is relative to the datasets.

Datasets are looked up in it in `datasets.py`.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.records import PairForm

NAME = "dataset_info.json"

DatasetEntry: TypeAlias = dict[str, Any]

_PAIR_COLUMNS: Final[Mapping[PairForm, Mapping[str, str]]] = {
    "release": {"response": "output"},
    "columns": {"chosen": "chosen", "rejected": "rejected"},
}
_SYSTEM_COLUMN: Final = {"system": "system"}
_DEFAULT_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
_DATASET_NAME = re.compile(r"[\w.-]+")


def sft_entry(file_name: str | Path, *, system: bool = False) -> DatasetEntry:
    """Return the entry of a supervised dataset, as in the published release.

    It names every column in use: where an entry has `columns`, LLaMA-Factory knows no others.

    Args:
        file_name: The file, relative to `dataset_dir`.
        system: Whether its rows have a system prompt; all releases from 0.5.0 on read that column.

    Raises:
        UserError: The file is not below `dataset_dir`.
    """
    columns = {"prompt": "content", "response": "output", **(_SYSTEM_COLUMN if system else {})}
    return {"file_name": _inside(str(file_name)), "columns": columns}


def pair_entry(
    file_name: str | Path, form: PairForm | Literal["list"] = "release", *, system: bool = False
) -> DatasetEntry:
    """Return the entry of a preference dataset.

    Args:
        file_name: The file, relative to `dataset_dir`.
        form: `release`: `output` is the list [chosen, rejected], as in the published release, for
            LLaMA-Factory up to 0.7.1. `columns`: `chosen` and `rejected` are columns, for 0.8.0 and newer.
            (`list`, an earlier name of `release`, will be removed.)
        system: As in `sft_entry`.

    Raises:
        UserError: The file is not below `dataset_dir`.
    """
    if form == "list":
        text = 'pair_entry(…, "list") is now pair_entry(…, "release"); the old name will be removed'
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        form = "release"
    columns = {"prompt": "instruction", "query": "input", **_PAIR_COLUMNS[form]}
    columns |= _SYSTEM_COLUMN if system else {}
    return {"file_name": _inside(str(file_name)), "ranking": True, "columns": columns}


def columns_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns of an entry, by role. Where it names any, LLaMA-Factory knows no others.

    Raises:
        UserError: `columns` is not an object that maps roles to names.
    """
    columns = entry.get("columns", _DEFAULT_COLUMNS)
    if not isinstance(columns, dict) or not all(isinstance(name, str | None) for name in columns.values()):
        raise UserError("`columns` must be an object that names a column for each role")
    return {role: name for role, name in columns.items() if name}


def all_merged(
    paths: Sequence[Path], entries: Mapping[str, DatasetEntry], *, force: bool = False
) -> dict[Path, dict[str, DatasetEntry]]:
    """Return the merged content of several indexes of the same files, by path.

    An index that does not exist yet starts from the content of the first one. See `merged`.
    """
    return {path: merged(path, entries, force=force, start=paths[0]) for path in paths}


def merged(
    path: str | Path,
    entries: Mapping[str, DatasetEntry],
    *,
    force: bool = False,
    start: str | Path | None = None,
) -> dict[str, DatasetEntry]:
    """Return the content of an index with entries added; nothing is written.

    Existing entries keep their order; new ones follow. Where other processes may write the same index,
    hold `exclusive(path)` from this call until the index is written.

    Args:
        path: A `dataset_info.json`, which need not exist.
        entries: Entries by dataset name.
        force: Replace existing entries that differ.
        start: The index whose content to start from where there is none at `path`.

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
                f'dataset "{name}" exists already and would change',
                file=path,
                hint="Replace its entry with --force, or choose another name",
            )
    return {**index, **entries}


@contextlib.contextmanager
def exclusive(*paths: str | Path) -> Iterator[None]:
    """Hold the locks of the indexes at `paths`, so that other processes, on other machines too, wait.

    A file `.dataset_info.json.lock` is left in the folder of each.

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
    """Return the error for a lock file that cannot be locked."""
    kind = "a link" if lock.is_symlink() else "a folder" if lock.is_dir() else None
    if kind is None:
        return UserError(f"cannot be locked ({error.strerror})", file=lock)
    return UserError(f"expected a lock file, got {kind}", file=lock, hint="Remove it, and try again")


def _check_name(name: str) -> None:
    """Refuse a name of a dataset that LLaMA-Factory could not read back."""
    if not _DATASET_NAME.fullmatch(name):
        raise UserError(
            f'"{name}" cannot name a dataset: LLaMA-Factory separates names by commas',
            hint="Use letters, digits, and the signs _ . -",
        )


def _inside(file_name: str) -> str:
    """Return a file name that is below the folder it is relative to; refuse any other."""
    parts = PurePosixPath(file_name).parts
    if not parts or file_name.startswith("/") or ".." in parts or "\\" in file_name:
        raise UserError(
            f'expected a file below the folder of the index, relative to it, got "{file_name}"',
            field="file_name",
        )
    return file_name


LAYOUTS = ("folder", "release")

RELEASE_DATA = PurePosixPath("data/llama_factory")
"""The folder of the release's datasets, relative to its root."""


@dataclass(frozen=True)
class Location:
    """The paths of one dataset.

    Attributes:
        file: The dataset's file.
        file_name: Its name in the entry, relative to `dataset_dir`.
        indexes: Every `dataset_info.json` that gets the entry.
        dataset_dir: The `dataset_dir` to give to LLaMA-Factory, absolute.
    """

    file: Path
    file_name: str
    indexes: tuple[Path, ...]
    dataset_dir: Path


def place(layout: str, output_dir: str | Path, folder: str, name: str) -> Location:
    """Return the paths of a dataset in a layout.

    The layout `folder` puts the file and the index into `output_dir`. The layout `release` treats
    `output_dir` as the root of the release and puts the file into `data/llama_factory/FOLDER`. The
    release's own index is in `data/llama_factory`, but names files relative to the root, so
    LLaMA-Factory finds them only if `dataset_dir` is the root. The root therefore gets an index with the
    same entries.

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
    """Return the `output_dir` with which `place` returns `file` as the path of a dataset.

    Raises:
        UserError: In the layout `release`, `file` is not in `data/llama_factory/FOLDER`.
    """
    file = Path(file).expanduser().absolute()
    if layout != "release":
        return file.parent
    inside = RELEASE_DATA / folder
    if not file.parent.as_posix().endswith(f"/{inside}"):
        raise UserError(f"expected a file in {inside}, as in the layout release", file=file)
    return file.parents[len(inside.parts)]
