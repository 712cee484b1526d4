"""Checks of files that can't be read, malformed rows, and `dataset_info.json`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.dataset_info import columns_of
from w2s_factory.records.rows import kind_of
from w2s_factory.release.audit.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.release.audit.corpus import Corpus


def unreadable(corpus: Corpus) -> Iterator[Found]:
    """Files that are no JSON, or hold something else than rows."""
    for name, problem in corpus.broken.items():
        yield Found(name, 1, None, problem)


def malformed(corpus: Corpus) -> Iterator[Found]:
    """Rows that lack a key of their kind, or have a value of another type there."""
    for file in corpus.files:
        if file.malformed:
            count, total = len(file.malformed), len(file.rows) + len(file.malformed)
            text = f"{count:,} of {total:,} rows are malformed; the other checks leave them out"
            yield Found(file.name, count, total, text, few(file.malformed))


_KIND = re.compile(r"_(full_weak|iter\d+_|paired).*")


def wrong_folder(corpus: Corpus) -> Iterator[Found]:
    """Entries whose file name has one task's prefix and whose folder is another task's."""
    for name, _, index in _indexes(corpus):
        folders: dict[str, Counter[str]] = defaultdict(Counter)
        files = {key: PurePosixPath(file) for key, file in _files(index)}
        for file in files.values():
            folders[_prefix(file)][str(file.parent)] += 1
        wrong = [
            f"{key}: {file}"
            for key, file in files.items()
            if str(file.parent) != folders[_prefix(file)].most_common(1)[0][0]
        ]
        if wrong:
            text = f"{len(wrong)} of {len(index)} entries name another folder than the others of their task"
            yield Found(name, len(wrong), len(index), text, few(wrong))


def not_there(corpus: Corpus) -> Iterator[Found]:
    """Entries whose file is not there, from the index's folder or from one above it."""
    for name, path, index in _indexes(corpus):
        missing = [f"{key}: {file}" for key, file in _files(index) if _base(corpus, path, file) is None]
        if missing:
            text = f"{len(missing)} of {len(index)} entries name a file that is not there"
            yield Found(name, len(missing), len(index), text, few(missing))


def relative_to_another(corpus: Corpus) -> Iterator[Found]:
    """Entries whose files are found from a folder above the index's, not from its own."""
    for name, path, index in _indexes(corpus):
        bases = {key: _base(corpus, path, file) for key, file in _files(index)}
        elsewhere = [key for key, base in bases.items() if base not in (None, path.parent)]
        if elsewhere:
            base = next(base for base in bases.values() if base not in (None, path.parent))
            shown = "." if base == corpus.root else base.relative_to(corpus.root).as_posix() if base else ""
            text = (
                f"the {len(index)} file names are relative to another folder ({shown}) than the index's own: "
                f"{len(elsewhere)} of the files are found from there, {_own(bases.values(), path)} from here"
            )
            yield Found(name, len(index), len(index), text, few(elsewhere))


def _own(bases: Any, path: Path) -> int:
    return sum(base == path.parent for base in bases)


def without_entry(corpus: Corpus) -> Iterator[Found]:
    """Datasets no index names."""
    if not corpus.indexes:
        return
    listed = {PurePosixPath(file).name for _, _, index in _indexes(corpus) for _, file in _files(index)}
    datasets = [file.name for file in corpus.of("sft", "pairs") if file.path.suffix == ".json"]
    missing = [name for name in datasets if PurePosixPath(name).name not in listed]
    if missing:
        text = f"{len(missing)} of {len(datasets)} datasets have no entry in an index"
        yield Found(", ".join(corpus.indexes), len(missing), len(datasets), text, few(missing))


def spelled_differently(corpus: Corpus) -> Iterator[Found]:
    """Names that keep hyphens where the others of the same weak model have underscores."""
    for name, _, index in _indexes(corpus):
        models = {_KIND.sub("", key) for key in index}
        odd = [key for key in index if "-" in key and _KIND.sub("", key).replace("-", "_") in models - {key}]
        if odd:
            text = f"{len(odd)} dataset name keeps hyphens where its siblings have underscores"
            yield Found(name, len(odd), len(index), text, few(odd))


def columns_missing(corpus: Corpus) -> Iterator[Found]:
    """Find entries that are not objects, name columns their file lacks, or say `ranking` wrongly."""
    yield from _not_objects(corpus)
    by_path = {file.path.resolve(): file for file in corpus.files}
    for name, path, index in _indexes(corpus):
        wrong = []
        for key, file_name in _files(index):
            base = _base(corpus, path, file_name)
            file = by_path.get((base / file_name).resolve()) if base else None
            if (
                file
                and file.rows
                and (problem := _mismatch(index[key], file.kind == "pairs", set(file.rows[0])))
            ):
                wrong.append(f"{key}: {problem}")
        if wrong:
            text = f"{len(wrong)} of {len(index)} entries do not fit the rows of their file"
            yield Found(name, len(wrong), len(index), text, few(wrong))


def _not_objects(corpus: Corpus) -> Iterator[Found]:
    for name, (_, index) in corpus.indexes.items():
        wrong = [
            f"{key}: expected an object, got {kind_of(entry)}"
            for key, entry in index.items()
            if not isinstance(entry, dict)
        ]
        if wrong:
            text = f"{len(wrong)} of {len(index)} entries are not objects"
            yield Found(name, len(wrong), len(index), text, few(wrong))


def _mismatch(entry: dict[str, Any], pairs: bool, keys: set[str]) -> str | None:
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
    """Each index with its entries that are objects."""
    for name, (path, index) in corpus.indexes.items():
        yield name, path, {key: entry for key, entry in index.items() if isinstance(entry, dict)}


def _files(index: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The dataset names with their files; entries of the hub or a script have none."""
    return (
        (key, entry["file_name"]) for key, entry in index.items() if isinstance(entry.get("file_name"), str)
    )


def _base(corpus: Corpus, index: Path, file_name: str) -> Path | None:
    """The folder a file name holds from: the index's, or one above it within what is looked at."""
    folder = index.parent
    while True:
        if (folder / file_name).is_file():
            return folder
        if folder in (corpus.root, folder.parent):
            return None
        folder = folder.parent


def _prefix(file: PurePosixPath) -> str:
    return "_".join(file.stem.removeprefix("train_").split("_")[:1])
