"""OlympicArena from the hub or a local folder, selected as the release does."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records import OLYMPIC_RAW, Outputs, Place, note, read_placed
from w2s_factory.release.fetching import Fetched
from w2s_factory.release.hub import load
from w2s_factory.tasks import get_task
from w2s_factory.tasks.olympic_arena import PUBLISHED_ROWS, SUBJECTS, UNJUDGED

if TYPE_CHECKING:
    from collections.abc import Iterator

HUB = "GAIR/OlympicArena"

_HUB_SPLITS = {"train_2": "test", "test": "val"}
"""The release trains on the hub's larger split, whose answers are not public, and tests on the other."""

_SUFFIXES = (".jsonl", ".json", ".parquet")

Row = dict[str, Any]


def fetch_olympic_arena(origin: str | None, output_dir: Path, *, force: bool = False) -> Fetched:
    """OlympicArena's English questions of six sciences whose answers rules can judge, in file order.

    Args:
        origin: A name on the hub, or a local folder of the same form: a folder a subject with files
            `val` and `test` (`Math/val.jsonl`, `.json`, `.parquet`, also `val-00000-of-00001.parquet`).
        output_dir: The root below which the files go, as in the release.
        force: Replace files that hold something else.

    Raises:
        UserError: `datasets` is missing, the rows are not OlympicArena's, or a file holds something else.
        DelegateError: The hub can't be reached, or a parquet file can't be read.
    """
    task = get_task("olympic_arena")
    where = origin or HUB
    raw = {name: list(_selected(where, split)) for name, split in _HUB_SPLITS.items()}
    _check(where, raw)
    files: dict[Path, int] = {}
    with Outputs(force=force) as outputs:
        for name, rows in raw.items():
            split = task.splits[name]
            tests = [task.test_row(row, split.tag) for row in rows]
            files[output_dir / split.raw] = outputs.rows(output_dir / split.raw, rows)
            files[output_dir / split.test] = outputs.rows(output_dir / split.test, tests)
    note(files, packages=["datasets"] if not Path(where).is_dir() else [], task=task.name, origin=where)
    hint = f"w2s-factory generate --task {task.name} --split train_2 --release {output_dir} --model MODEL ..."
    return Fetched(output_dir, files, tuple(_notes(raw)), hint)


def _selected(origin: str, split: str) -> Iterator[Row]:
    for row in chain.from_iterable(_subject(origin, subject, split) for subject in SUBJECTS):
        if row["language"] == "EN" and row["answer_type"] not in UNJUDGED:
            yield row


def _subject(origin: str, subject: str, split: str) -> Iterator[Row]:
    if not Path(origin).is_dir():
        yield from _checked(load(origin, subject, split), f"{origin}/{subject}")
        return
    for file in _files(Path(origin, subject), split):
        if file.suffix == ".parquet":
            yield from _checked(load("parquet", None, "train", data_files=str(file)), str(file))
        else:
            yield from (row for _, row in read_placed(file, OLYMPIC_RAW))


def _files(folder: Path, split: str) -> list[Path]:
    """A local subject's files of a split; the folder or the split may be missing, as may other subjects."""
    found = [path for path in folder.glob(f"{split}*") if path.suffix in _SUFFIXES]
    return sorted(path for path in found if path.stem == split or path.stem.startswith(f"{split}-"))


def _checked(rows: Any, origin: str) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        Place(Path(origin), number, in_list=True).require(row, OLYMPIC_RAW)
        yield dict(row)


def _check(origin: str, raw: dict[str, list[Row]]) -> None:
    if not any(raw.values()):
        raise UserError(
            "holds no English question of the six subjects that rules can judge",
            file=origin,
            hint=f"Expected a folder a subject ({', '.join(SUBJECTS)}) with files val and test",
        )
    for name, rows in raw.items():
        _check_split(origin, _HUB_SPLITS[name], rows)


def _check_split(origin: str, split: str, rows: list[Row]) -> None:
    if not rows:
        raise UserError(f"split {split} holds no such question", file=origin)
    seen: set[str] = set()
    for row in rows:
        if row["id"] in seen:
            raise UserError(f"the id {row['id']!r} stands twice in split {split}", file=origin)
        seen.add(row["id"])


def _notes(raw: dict[str, list[Row]]) -> Iterator[str]:
    for name, published in PUBLISHED_ROWS.items():
        if len(raw[name]) != published:
            yield f"warning: {name} has {len(raw[name]):,} questions, the published one {published:,}"
    unknown = sum(not row.get("answer") for row in chain.from_iterable(raw.values()))
    if unknown:
        yield (
            f"{unknown:,} questions have no public answer: scored against it every response is wrong; "
            "Stage I and II need no answers"
        )
