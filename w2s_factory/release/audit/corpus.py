"""The data below an audited folder: its files, their kinds, and the fields their rows must have."""

from __future__ import annotations

import re
from array import array
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import dataset_info
from w2s_factory.records import COLUMN_PAIR, OUTPUT, RESULT, VOTE, Form, StoredRows, Table, read_object
from w2s_factory.release.audit.tally import Tally, tally
from w2s_factory.tasks import BUILT_IN, get_task, task_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from w2s_factory.records import Place
    from w2s_factory.tasks import Task

Kind: TypeAlias = Literal["split", "sft", "pairs", "results", "votes", "demonstrations"]
Row: TypeAlias = dict[str, Any]

_KEYS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("demonstrations", frozenset({"prompt", "response", "sha256"})),
    ("votes", frozenset({"pos_responses", "neg_responses"})),
    ("results", frozenset({"prompt", "response"})),
    ("pairs", frozenset({"instruction", "output"})),
    ("pairs", frozenset({"instruction", "chosen", "rejected"})),
    ("sft", frozenset({"content", "output"})),
    ("split", frozenset({"question", "answer"})),
    ("split", frozenset({"problem", "solution", "answer", "unique_id"})),
)
"""The keys by which each kind is recognised, the more specific first."""

_Types: TypeAlias = dict[str, tuple[type, ...]]

_TEXT = (str,)
_GOLD = (str, int, float, type(None))
_ID: _Types = {"id": (int, str)}
_VERDICT: _Types = {"pred": _TEXT, "gold": _TEXT, "result": (bool,)}

_FORMS: Mapping[Kind, Form[Any]] = {
    "demonstrations": Form("demonstrations", {"prompt": _TEXT, "response": _TEXT}, optional=_ID),
    "votes": VOTE,
    "results": Form("results", OUTPUT.required, optional={**_VERDICT, **RESULT.optional}),
    "sft": Form("SFT rows", {"content": _TEXT, "output": _TEXT}, optional=_ID | _VERDICT),
    "split": Form("test rows", {"question": _TEXT, "answer": _GOLD}, {"solution": (str, type(None))}),
}
_RAW: Form[Any] = Form("raw rows", {"problem": _TEXT, "solution": _TEXT, "answer": _GOLD})
_PAIR_LIST: Form[Any] = Form("preference pairs", {"instruction": _TEXT, "output": (list,)}, optional=_ID)
_PAIR_COLUMNS: Form[Any] = Form(
    "preference pairs",
    {key: kinds for key, kinds in COLUMN_PAIR.required.items() if key not in ("id", "input")},
    optional=_ID,
)


def kind_of(rows: Iterable[Row]) -> Kind | None:
    """Return the kind of the first row of a known kind; None if there is no such row."""
    return next((kind for row in rows if (kind := _kind(row))), None)


def problem_of(kind: Kind, row: Row, place: Place) -> UserError | None:
    """Return what keeps the checks from reading a row; None if nothing does."""
    try:
        place.require(row, _form(kind, row))
        _require_texts(kind, row, place)
    except UserError as error:
        return error
    return None


def _kind(row: Row) -> Kind | None:
    if isinstance(row.get("output"), str) and "instruction" in row and "chosen" not in row:
        return None  # supervised rows in the Alpaca form, which is not the release's
    return next((kind for kind, keys in _KEYS if keys <= row.keys()), None)


def _form(kind: Kind, row: Row) -> Form[Any]:
    if kind == "pairs":
        return _PAIR_COLUMNS if row.keys() & {"chosen", "rejected"} else _PAIR_LIST
    return _RAW if kind == "split" and "problem" in row else _FORMS[kind]


def _require_texts(kind: Kind, row: Row, place: Place) -> None:
    """Check the items of lists, which a form does not describe."""
    if kind == "pairs" and "chosen" not in row and [type(text) for text in row["output"]] != [str, str]:
        raise place.error("expected a list of two texts, [chosen, rejected]", field="output")
    for pool in ("pos_responses", "neg_responses") if kind == "votes" else ():
        if not all(_is_sample(sample) for sample in row[pool]):
            raise place.error("expected objects with the texts response and pred", field=pool)


def _is_sample(sample: Any) -> bool:
    return isinstance(sample, dict) and all(isinstance(sample.get(key), str) for key in ("response", "pred"))


_ROWS: Form[Row] = Form("rows", {})
_STEM = re.compile(
    r"train_(?P<task>[^_]+(?:_arena)?)_(?P<weak>.+?)_"
    r"(?P<kind>full_weak|(?:iter\d+_)?(?:hybrid_)?paired|iter\d+_(?P<side>weak|icl|hybrid)(?P<unpadded>_wo_aug)?)"
)
"""File names of the release's training sets."""

_SPLIT = re.compile(r"(?:^|_)(train_\d+|train|dev|val|test)$")
_SAMPLE = 50
"""The rows, or bytes, at the start of a file by which it is recognised."""


_KEPT = 200_000_000
"""Bytes of files whose rows are kept in memory; those of further files are read again for each check."""


class AuditedRows:
    """The well-formed rows of a file, in order; a row without an id has its place in the file as id.

    Args:
        rows: The rows of the file.
        kind: Their kind.
        places: The 0-based place of each well-formed row in the file.

    Attributes:
        first: The first fifty of them.
    """

    def __init__(self, rows: StoredRows[Row], kind: Kind, places: Sequence[int]) -> None:
        self._rows, self._kind, self._places = rows, kind, places
        self.first = list(islice(self, _SAMPLE))

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Row]:
        return map(self._with_id, self._rows.rows(self._places), self._places)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], Row]]:
        """Yield a function that returns a row by its number among these rows, from 0."""
        with self._rows.opened() as row:
            yield lambda number: self._with_id(row(self._places[number]), self._places[number])

    def _with_id(self, row: Row, place: int) -> Row:
        return row if self._kind == "split" or "id" in row else {**row, "id": place}


@dataclass(frozen=True)
class File:
    """A file of rows.

    Attributes:
        path: The path of the file.
        name: Its path below the audited folder.
        kind: The kind of its rows.
        rows: The well-formed rows.
        places: The 0-based place of each of them in the file.
        parts: The task, weak, kind, side and unpadded that its name states, if named as in the release.
        malformed: The problems of the other rows, which the other checks leave out.
    """

    path: Path
    name: str
    kind: Kind
    rows: AuditedRows
    places: Sequence[int]
    parts: dict[str, str]
    malformed: Tally

    @property
    def stage1(self) -> tuple[str, ...] | None:
        """The folder, name and padding that the sets of one iteration share; None if not a Stage I set."""
        if "side" not in self.parts:
            return None
        stem, _, _ = self.path.stem.removesuffix("_wo_aug").rpartition("_")
        return str(self.path.parent), stem, self.parts.get("unpadded", "")

    @property
    def weak_model(self) -> tuple[str, str] | None:
        """The task and weak model in its name; None if it names none."""
        return (self.parts["task"], self.parts["weak"]) if "weak" in self.parts else None


class Corpus:
    """The data below a folder.

    Args:
        root: The folder.
        task: The task of all files; None to recognise the task of each file.

    Attributes:
        root: The folder.
        files: Its files of rows of a known kind.
        indexes: Its `dataset_info.json` files with their content, by name.
        broken: The reason why a file can't be read, by the file's name.

    Raises:
        UserError: It is not a folder.
    """

    def __init__(self, root: Path, task: Task | None = None) -> None:
        if not root.is_dir():
            raise UserError("is not a folder", file=root)
        self.root = root
        self._task = task
        self.files: list[File] = []
        self.indexes: dict[str, tuple[Path, dict[str, Any]]] = {}
        self.broken: dict[str, str] = {}
        self._left = _KEPT
        for path in sorted(root.rglob("*.json*")):
            if path.suffix in (".json", ".jsonl") and path.is_file() and not self._hidden(path):
                self._take(path)

    def of(self, *kinds: Kind) -> Iterator[File]:
        """Yield the files of some kinds."""
        return (file for file in self.files if file.kind in kinds)

    def task_of(self, file: File) -> Task | None:
        """Return the task of a file, recognised by name, folder, tag, or the answer key of its responses."""
        if self._task:
            return self._task
        return self._by_name(file) or _by_tag(file) or _by_answer_key(file)

    def text_task_of(self, file: File) -> Task | None:
        """Return the task of a file if it compares final answers as text; None where they are not checked."""
        task = self.task_of(file)
        return None if task is None or task.compares_responses or task.slow_comparison else task

    def _by_name(self, file: File) -> Task | None:
        named = [file.parts.get("task", ""), file.path.parent.name, file.path.stem.partition("_")[0]]
        named += [part.partition("_train")[0] for part in Path(file.name).parts]
        for task in self._tasks:
            if {task.name, task.folder} & set(named):
                return task
        return None

    @cached_property
    def _tasks(self) -> list[Task]:
        return [get_task(name) for name in task_names()]

    def _hidden(self, path: Path) -> bool:
        return any(part.startswith(".") for part in path.relative_to(self.root).parts)

    def _take(self, path: Path) -> None:
        name = path.relative_to(self.root).as_posix()
        size = path.stat().st_size
        try:
            if path.name == dataset_info.NAME:
                self.indexes[name] = path, read_object(path)
                return
            rows = _rows_of(path, keep=size <= self._left)
            kind = kind_of(rows.rows())
            if kind:
                self.files.append(_file(path, name, kind, rows))
                self._left -= size if size <= self._left else 0
        except UserError as error:
            self.broken[name] = str(error)


def split_name(file: File) -> str:
    """Return the split in a file's name, such as `train_1` or `test`; the name itself if it has none."""
    match = _SPLIT.search(file.path.stem)
    if match:
        return match[1]
    return "test" if file.path.parent.name == "test" else file.path.stem


def _rows_of(path: Path, *, keep: bool) -> StoredRows[Row]:
    """Return the rows of a file; none for a `.json` that holds something other than a list of objects.

    Raises:
        UserError: The file cannot be read, or a row is not an object.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_SAMPLE)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path) from None
    if path.suffix == ".json" and not re.match(rb"(?:\xef\xbb\xbf)?\s*\[\s*(?:\{|null)", start):
        return StoredRows(Table(str(path), ()), _ROWS)  # metrics, reports, models
    return StoredRows(path, _ROWS, keep=keep).scanned()


def _file(path: Path, name: str, kind: Kind, rows: StoredRows[Row]) -> File:
    """Return the file with its well-formed rows separated from the others."""
    sound = array("q")
    malformed = tally(_malformed(kind, rows, sound))
    match = _STEM.fullmatch(path.stem)
    return File(
        path,
        name,
        kind,
        rows=AuditedRows(rows, kind, sound),
        places=sound,
        parts={key: value for key, value in match.groupdict().items() if value} if match else {},
        malformed=malformed,
    )


def _malformed(kind: Kind, rows: StoredRows[Row], sound: array[int]) -> Iterator[str | None]:
    """Yield the problem of each malformed row; None for others, whose places are added to `sound`."""
    for number, row in enumerate(rows.rows()):
        problem = problem_of(kind, row, rows.place(number))
        if problem is None:
            sound.append(number)
        yield None if problem is None else _in_file(problem)


def _in_file(problem: UserError) -> str:
    """Return a problem with its line or row, without the file."""
    place = f"line {problem.line}" if problem.line is not None else f"row {problem.row}"
    return f"{place}: field {problem.field}: {problem.problem}"


def _by_tag(file: File) -> Task | None:
    tags = {str(row.get("source")) for row in file.rows.first}
    built_in = (get_task(name) for name in BUILT_IN)
    return next((task for task in built_in if any(s.tag in tags for s in task.splits.values())), None)


def _by_answer_key(file: File) -> Task | None:
    """Return the built-in task whose answer key is in most of the first responses (or solutions)."""
    texts = [str(text) for row in file.rows.first for text in responses(file.kind, row)]
    texts += [solution_of(row) for row in file.rows.first if "answer" in row]
    for name in BUILT_IN:
        task = get_task(name)
        if sum(task.answer_key in text for text in texts) * 2 > len(texts):
            return task
    return None


def responses(kind: Kind, row: Row) -> list[str]:
    """Return the responses in a row."""
    if kind == "sft":
        return [row["output"]]
    if kind == "results":
        return [row["response"]]
    if kind == "pairs":
        return pair_of(row)
    return []


def solution_of(row: Row) -> str:
    """Return the gold solution of a raw or test row; raw GSM8K rows call it their answer."""
    return str((row["solution"] if "solution" in row else row["answer"]) or "")


def pair_of(row: Row) -> list[str]:
    """Return the chosen and the rejected response of a pair in either form."""
    return [row["chosen"], row["rejected"]] if "chosen" in row else list(row["output"])


def prompt_of(row: Row) -> str:
    """Return the prompt of a row of any kind, empty if it has none."""
    return str(row.get("content") or row.get("instruction") or row.get("prompt") or "")
