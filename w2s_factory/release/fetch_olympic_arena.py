"""OlympicArena from the hub or a local folder, selected as the release does."""

from __future__ import annotations

import shlex
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.errors import UserError
from w2s_factory.packages import missing_extra
from w2s_factory.records import OLYMPIC_RAW, TEST, Outputs, Place, read_placed
from w2s_factory.records.hub_rows import load
from w2s_factory.release.fetch import Fetched, files_below
from w2s_factory.release.hub import OTHERWISE, Row
from w2s_factory.tasks import get_task
from w2s_factory.tasks.olympic_arena import PUBLISHED_ROWS, SUBJECTS, UNJUDGED
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.records import Test
    from w2s_factory.tasks import Task

HUB = "GAIR/OlympicArena"
"""The name on the hub."""

_HUB_SPLITS = {"train_2": "test", "test": "val"}
"""The release trains on the hub's larger split, whose answers are not public, and tests on the other."""

_SUFFIXES = (".jsonl", ".json", ".parquet")


class HubQuestion(NamedTuple):
    """A row of the hub, its test form, and its place for messages."""

    raw: Row
    test: Test
    place: Place


def fetch_olympic_arena(origin: str | None, output_dir: Path, *, force: bool = False) -> Fetched:
    """Fetch the English questions of six sciences whose answers rules can judge, in file order.

    Args:
        origin: A name on the hub, or a local folder of the same form: one folder for each subject, with
            files `val` and `test` (`Math/val.jsonl`, `.json`, `.parquet`, also
            `val-00000-of-00001.parquet`); None for the hub.
        output_dir: The root below which the files are written, as in the release.
        force: Replace files that have other content.

    Raises:
        UserError: `datasets` is missing, there is no such folder, the rows are not OlympicArena's, or a file
            can't be read or has other content.
        DelegateError: The hub can't be reached.
    """
    task = get_task("olympic_arena")
    where = origin or HUB
    if where.startswith((".", "/", "~")) and not Path(where).is_dir():
        raise UserError("no such folder", file=where)
    selected = {name: list(_selected(task, where, name)) for name in _HUB_SPLITS}
    _check(where, selected)
    files: dict[Path, int] = {}
    with Outputs(reads=files_below(where), force=force) as outputs:
        for name, questions in selected.items():
            raw, test = (output_dir / path for path in (task.splits[name].raw, task.splits[name].test))
            files[raw] = outputs.rows(raw, (question.raw for question in questions), OLYMPIC_RAW)
            files[test] = outputs.rows(test, (question.test for question in questions), TEST)
        packages = [] if Path(where).is_dir() else ["datasets"]
        outputs.note(packages=packages, task=task.name, origin=where)
    generate = ["generate", "--task", task.name, "--split", "train_2", "--release", str(output_dir)]
    hint = f"a model must answer: w2s-factory {shlex.join(generate)} also takes --model and --output-dir"
    return Fetched(output_dir, files, tuple(_notes(selected)), hint)


def _selected(task: Task, origin: str, name: str) -> Iterator[HubQuestion]:
    tag = task.splits[name].tag
    for place, row in chain.from_iterable(
        _subject(origin, subject, _HUB_SPLITS[name]) for subject in SUBJECTS
    ):
        if row["language"] == "EN" and row["answer_type"] not in UNJUDGED:
            yield HubQuestion(row, _test_row(task, row, tag, place), place)


def _test_row(task: Task, row: Row, tag: str, place: Place) -> Test:
    try:
        return task.test_row(row, tag)
    except UserError as error:
        raise place.error(error.problem, field=error.field, hint=error.hint) from None


def _subject(origin: str, subject: str, split: str) -> Iterator[tuple[Place, Row]]:
    if not Path(origin).is_dir():
        rows = load(origin, subject, split, otherwise=OTHERWISE)
        yield from _checked(rows, f"{origin}/{subject}")
        return
    for file in _files(Path(origin, subject), split):
        if file.suffix == ".parquet":
            yield from _checked(_parquet(file), str(file))
        else:
            yield from read_placed(file, OLYMPIC_RAW)


def _parquet(file: Path) -> Any:
    """Return the rows of a local file, without the cached copy and the progress bars of `datasets`."""
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  heavy, and comes with datasets
    except ImportError:
        raise missing_extra("hub", "datasets", file=file) from None
    try:
        return parquet.read_table(file).to_pylist()
    except (ArrowException, OSError) as error:
        problem = first_line(str(error))
        raise UserError(f"cannot be read as parquet ({problem})", file=file) from None


def _files(folder: Path, split: str) -> list[Path]:
    """Return the files of a split in a subject's local folder; the folder or the split may be missing."""
    found = [path for path in folder.glob(f"{split}*") if path.suffix in _SUFFIXES]
    return sorted(path for path in found if path.stem == split or path.stem.startswith(f"{split}-"))


def _checked(rows: Any, origin: str) -> Iterator[tuple[Place, Row]]:
    for number, row in enumerate(rows, 1):
        place = Place(Path(origin), number, in_list=True)
        place.require(row, OLYMPIC_RAW)
        yield place, dict(row)


def _check(origin: str, selected: dict[str, list[HubQuestion]]) -> None:
    if not any(selected.values()):
        raise UserError(
            "has no English question of the six subjects that rules can judge",
            file=origin,
            hint=f"Expected one folder for each subject ({', '.join(SUBJECTS)}) with files val and test",
        )
    for name, questions in selected.items():
        _check_split(origin, _HUB_SPLITS[name], questions)


def _check_split(origin: str, split: str, questions: list[HubQuestion]) -> None:
    if not questions:
        raise UserError(f"split {split} has no English question that rules can judge", file=origin)
    seen: set[str] = set()
    for question in questions:
        name = question.raw["id"]
        if name in seen:
            raise question.place.error(f"duplicate id {name!r} in split {split}", field="id")
        seen.add(name)


def _notes(selected: dict[str, list[HubQuestion]]) -> Iterator[str]:
    for name, published in PUBLISHED_ROWS.items():
        if len(selected[name]) != published:
            yield f"warning: {name} has {len(selected[name]):,} questions, the published split {published:,}"
    for name, questions in selected.items():
        if missing := _missing(questions):
            yield f"warning: {name} has no question of {', '.join(missing)}"
    unknown = sum(not question.test["answer"] for question in chain.from_iterable(selected.values()))
    if unknown:
        yield (
            f"{unknown:,} questions have no public answer: responses to them get no verdict; "
            "Stage I and II need no answers"
        )


def _missing(questions: list[HubQuestion]) -> list[str]:
    """Return the subjects without a question, in the release's order."""
    found = {question.raw["subject"] for question in questions}
    return [subject for subject in SUBJECTS if subject not in found]
