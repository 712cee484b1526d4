"""Checks of `dataset_info.json`: the files, names and columns of its entries."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.dataset_info import columns_of
from w2s_factory.records.rows import kind_of
from w2s_factory.release.audit.finding import Occurrence, check
from w2s_factory.release.audit.tally import few

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.release.audit.corpus import Corpus

_FROM_KIND_ON = re.compile(r"_(full_weak|iter\d+_|paired).*")
"""The part of a dataset's name after task and weak model."""


@check(
    "index-folder",
    title="Index entries that name another folder than their siblings",
    consequence='LLaMA-Factory stops: "Undefined dataset" or no such file.',
    instead="Entries are written together with their files, with the files' actual paths.",
)
def wrong_folder(corpus: Corpus) -> Iterator[Occurrence]:
    """Find entries whose file name has one task's prefix and whose folder is another task's."""
    for name, _, index in _indexes(corpus):
        folders: dict[str, Counter[str]] = defaultdict(Counter)
        files = {key: PurePosixPath(file) for key, file in _files(index)}
        for file in files.values():
            folders[_task_prefix(file)][str(file.parent)] += 1
        wrong = [
            f"{key}: {file}"
            for key, file in files.items()
            if str(file.parent) != folders[_task_prefix(file)].most_common(1)[0][0]
        ]
        if wrong:
            text = f"{len(wrong)} of {len(index)} entries name another folder than the others of their task"
            yield Occurrence(name, len(wrong), len(index), text, few(wrong))


@check(
    "index-missing",
    title="Index entries whose file does not exist",
    consequence="LLaMA-Factory stops at them.",
    instead="`train` checks the entry and its file before LLaMA-Factory starts.",
)
def missing_files(corpus: Corpus) -> Iterator[Occurrence]:
    """Find entries whose file is neither below the index's folder nor below one above it."""
    for name, path, index in _indexes(corpus):
        missing = [f"{key}: {file}" for key, file in _files(index) if _base(corpus, path, file) is None]
        if missing:
            text = f"{len(missing)} of {len(index)} entries name a file that does not exist"
            yield Occurrence(name, len(missing), len(index), text, few(missing))


@check(
    "index-base",
    title="Index entries relative to another folder than the index's",
    consequence="They work only with `dataset_dir` set to that folder.",
    instead="`--layout release` writes the same index at the root; configs name an absolute `dataset_dir`.",
)
def other_base(corpus: Corpus) -> Iterator[Occurrence]:
    """Find entries whose files are found from a folder above the index's, not from its own."""
    for name, path, index in _indexes(corpus):
        bases = {key: _base(corpus, path, file) for key, file in _files(index)}
        elsewhere = {key: base for key, base in bases.items() if base not in (None, path.parent)}
        if elsewhere:
            base = next(iter(elsewhere.values()))
            shown = "." if base == corpus.root else base.relative_to(corpus.root).as_posix() if base else ""
            own = sum(base == path.parent for base in bases.values())
            text = (
                f"the {len(index)} file names are relative to another folder ({shown}) than the index's own: "
                f"{len(elsewhere)} of the files are found from there, {own} from the index's"
            )
            yield Occurrence(name, len(index), len(index), text, few(elsewhere))


@check(
    "index-unlisted",
    title="Datasets without an index entry",
    consequence="They cannot be trained on by name.",
    instead="Every dataset built gets its entry.",
)
def unlisted(corpus: Corpus) -> Iterator[Occurrence]:
    """Find datasets that no index names."""
    if not corpus.indexes:
        return
    listed = {PurePosixPath(file).name for _, _, index in _indexes(corpus) for _, file in _files(index)}
    datasets = [file.name for file in corpus.of("sft", "pairs") if file.path.suffix == ".json"]
    missing = [name for name in datasets if PurePosixPath(name).name not in listed]
    if missing:
        text = f"{len(missing)} of {len(datasets)} datasets have no entry in an index"
        yield Occurrence(", ".join(corpus.indexes), len(missing), len(datasets), text, few(missing))


@check(
    "index-names",
    title="Dataset names spelled unlike their siblings",
    consequence='A name guessed from the others gives "Undefined dataset".',
    instead="Names follow the files' names without exception.",
)
def odd_names(corpus: Corpus) -> Iterator[Occurrence]:
    """Find names that keep hyphens where the others of the same weak model have underscores."""
    for name, _, index in _indexes(corpus):
        models = {_FROM_KIND_ON.sub("", key) for key in index}
        odd = [
            key
            for key in index
            if "-" in key and _FROM_KIND_ON.sub("", key).replace("-", "_") in models - {key}
        ]
        if odd:
            text = f"{len(odd)} dataset name keeps hyphens where its siblings have underscores"
            yield Occurrence(name, len(odd), len(index), text, few(odd))


@check(
    "index-columns",
    title="Index entries that do not fit their rows",
    consequence="LLaMA-Factory stops with a KeyError, or trains on nothing.",
    instead="Entries are written in the form the LLaMA-Factory version reads.",
)
def wrong_columns(corpus: Corpus) -> Iterator[Occurrence]:
    """Find entries that are not objects, name columns their file lacks, or set `ranking` wrongly."""
    yield from _not_objects(corpus)
    by_path = {file.path.resolve(): file for file in corpus.files}
    for name, path, index in _indexes(corpus):
        wrong = []
        for key, file_name in _files(index):
            base = _base(corpus, path, file_name)
            file = by_path.get((base / file_name).resolve()) if base else None
            if file is None or not file.rows:
                continue
            if problem := _entry_problem(index[key], file.kind == "pairs", set(file.rows.first[0])):
                wrong.append(f"{key}: {problem}")
        if wrong:
            text = f"{len(wrong)} of {len(index)} entries do not fit the rows of their file"
            yield Occurrence(name, len(wrong), len(index), text, few(wrong))


def _not_objects(corpus: Corpus) -> Iterator[Occurrence]:
    for name, (_, index) in corpus.indexes.items():
        wrong = [
            f"{key}: expected an object, got {kind_of(entry)}"
            for key, entry in index.items()
            if not isinstance(entry, dict)
        ]
        if wrong:
            text = f"{len(wrong)} of {len(index)} entries are not objects"
            yield Occurrence(name, len(wrong), len(index), text, few(wrong))


def _entry_problem(entry: dict[str, Any], pairs: bool, keys: set[str]) -> str | None:
    """Return why an entry does not fit rows with these keys; None if it does."""
    try:
        lacking = set(columns_of(entry).values()) - keys
    except UserError as error:
        return str(error)
    if lacking:
        return f"no column {', '.join(sorted(lacking))}"
    if bool(entry.get("ranking")) != pairs:
        return "pairs without ranking" if pairs else "ranking, but no pairs"
    return None


def _indexes(corpus: Corpus) -> Iterator[tuple[str, Path, dict[str, dict[str, Any]]]]:
    """Yield the name and path of each index, with its entries that are objects."""
    for name, (path, index) in corpus.indexes.items():
        yield name, path, {key: entry for key, entry in index.items() if isinstance(entry, dict)}


def _files(index: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the dataset names with their files; entries of the hub or a script have none."""
    return (
        (key, entry["file_name"]) for key, entry in index.items() if isinstance(entry.get("file_name"), str)
    )


def _base(corpus: Corpus, index: Path, file_name: str) -> Path | None:
    """Return the folder a file name is relative to: the index's, or one above it in the audited folder."""
    folder = index.parent
    while True:
        if (folder / file_name).is_file():
            return folder
        if folder in (corpus.root, folder.parent):
            return None
        folder = folder.parent


def _task_prefix(file: PurePosixPath) -> str:
    """Return the task in a file's name."""
    return file.stem.removeprefix("train_").partition("_")[0]
