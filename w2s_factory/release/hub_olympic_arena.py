"""OlympicArena from the hub or a local folder, selected as the release does."""

from __future__ import annotations

import shlex
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.errors import UserError
from w2s_factory.records import OLYMPIC_RAW, TEST, Outputs, Place, read_placed
from w2s_factory.release.fetch import Fetched
from w2s_factory.release.hub import files_below, load
from w2s_factory.tasks import get_task
from w2s_factory.tasks.olympic_arena import PUBLISHED_ROWS, SUBJECTS, UNJUDGED
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.records import Test
    from w2s_factory.tasks import Task

HUB = "GAIR/OlympicArena"

_HUB_SPLITS = {"train_2": "test", "test": "val"}
"""The release trains on the hub's larger split, whose answers are not public, and tests on the other."""

_SUFFIXES = (".jsonl", ".json", ".parquet")

Row = dict[str, Any]


class HubQuestion(NamedTuple):
    """A row of the hub, what it is in the test form, and where it stands."""

    raw: Row
    test: Test
    place: Place


def fetch_olympic_arena(origin: str | None, output_dir: Path, *, force: bool = False) -> Fetched:
    """OlympicArena's English questions of six sciences whose answers rules can judge, in file order.

    Args:
        origin: A name on the hub, or a local folder of the same form: a folder a subject with files
            `val` and `test` (`Math/val.jsonl`, `.json`, `.parquet`, also `val-00000-of-00001.parquet`).
        output_dir: The root below which the files go, as in the release.
        force: Replace files that hold something else.

    Raises:
        UserError: `datasets` is missing, there is no such folder, the rows are not OlympicArena's, or a file
            can't be read or holds something else.
        DelegateError: The hub can't be reached.
    """
    task = get_task("olympic_arena")
    where = origin or HUB
    if where.startswith((".", "/", "~")) and not Path(where).is_dir():
        raise UserError("no such folder", file=where)
    asked = {name: list(_selected(task, where, name)) for name in _HUB_SPLITS}
    _check(where, asked)
    files: dict[Path, int] = {}
    with Outputs(reads=files_below(where), force=force) as outputs:
        for name, questions in asked.items():
            raw, test = (output_dir / path for path in (task.splits[name].raw, task.splits[name].test))
            files[raw] = outputs.rows(raw, (question.raw for question in questions), OLYMPIC_RAW)
            files[test] = outputs.rows(test, (question.test for question in questions), TEST)
        packages = [] if Path(where).is_dir() else ["datasets"]
        outputs.note(packages=packages, task=task.name, origin=where)
    asking = ["generate", "--task", task.name, "--split", "train_2", "--release", str(output_dir)]
    hint = f"a model must answer: w2s-factory {shlex.join(asking)} also takes --model and --output-dir"
    return Fetched(output_dir, files, tuple(_notes(asked)), hint)


def _selected(task: Task, origin: str, name: str) -> Iterator[HubQuestion]:
    tag = task.splits[name].tag
    for place, row in chain.from_iterable(_subject(origin, one, _HUB_SPLITS[name]) for one in SUBJECTS):
        if row["language"] == "EN" and row["answer_type"] not in UNJUDGED:
            yield HubQuestion(row, _test_row(task, row, tag, place), place)


def _test_row(task: Task, row: Row, tag: str, place: Place) -> Test:
    try:
        return task.test_row(row, tag)
    except UserError as error:
        raise place.error(error.problem, field=error.field, hint=error.hint) from None


def _subject(origin: str, subject: str, split: str) -> Iterator[tuple[Place, Row]]:
    if not Path(origin).is_dir():
        yield from _checked(load(origin, subject, split), f"{origin}/{subject}")
        return
    for file in _files(Path(origin, subject), split):
        if file.suffix == ".parquet":
            yield from _checked(_parquet(file), str(file))
        else:
            yield from read_placed(file, OLYMPIC_RAW)


def _parquet(file: Path) -> Any:
    """The rows of a local file: no conversion to a copy in the cache of `datasets`, no progress bars."""
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  heavy, and comes with datasets
    except ImportError:
        raise UserError(
            "needs the package datasets, which is not installed",
            file=file,
            hint='pip install "w2s-factory[hub]"',
        ) from None
    try:
        return parquet.read_table(file).to_pylist()
    except (ArrowException, OSError) as error:
        problem = first_line(str(error))
        raise UserError(f"cannot be read as parquet ({problem})", file=file) from None


def _files(folder: Path, split: str) -> list[Path]:
    """A local subject's files of a split; the folder or the split may be missing, as may other subjects."""
    found = [path for path in folder.glob(f"{split}*") if path.suffix in _SUFFIXES]
    return sorted(path for path in found if path.stem == split or path.stem.startswith(f"{split}-"))


def _checked(rows: Any, origin: str) -> Iterator[tuple[Place, Row]]:
    for number, row in enumerate(rows, 1):
        place = Place(Path(origin), number, in_list=True)
        place.require(row, OLYMPIC_RAW)
        yield place, dict(row)


def _check(origin: str, asked: dict[str, list[HubQuestion]]) -> None:
    if not any(asked.values()):
        raise UserError(
            "holds no English question of the six subjects that rules can judge",
            file=origin,
            hint=f"Expected a folder a subject ({', '.join(SUBJECTS)}) with files val and test",
        )
    for name, questions in asked.items():
        _check_split(origin, _HUB_SPLITS[name], questions)


def _check_split(origin: str, split: str, questions: list[HubQuestion]) -> None:
    if not questions:
        raise UserError(f"split {split} holds no such question", file=origin)
    seen: set[str] = set()
    for question in questions:
        name = question.raw["id"]
        if name in seen:
            raise question.place.error(f"duplicate id {name!r} in split {split}", field="id")
        seen.add(name)


def _notes(asked: dict[str, list[HubQuestion]]) -> Iterator[str]:
    for name, published in PUBLISHED_ROWS.items():
        if len(asked[name]) != published:
            yield f"warning: {name} has {len(asked[name]):,} questions, the published one {published:,}"
    for name, questions in asked.items():
        if missing := _missing(questions):
            yield f"warning: {name} has no question of {', '.join(missing)}"
    unknown = sum(not question.test["answer"] for question in chain.from_iterable(asked.values()))
    if unknown:
        yield (
            f"{unknown:,} questions have no public answer: responses to them get no verdict; "
            "Stage I and II need no answers"
        )


def _missing(questions: list[HubQuestion]) -> list[str]:
    """The subjects of which there is none, in the release's order."""
    return [one for one in SUBJECTS if not any(question.raw["subject"] == one for question in questions)]
