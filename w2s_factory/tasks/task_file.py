"""The content of a task file (`--task ./mytask.yaml`) as pydantic models, and its reading and checks.

Paths in the file are relative to the file itself. What the rows hold is checked when they are read
(`task_rows`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Gt
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from w2s_factory.answers.extraction import AUTO, Extraction, parse_extraction
from w2s_factory.answers.number_equality import EXACT, Tolerance
from w2s_factory.errors import UserError
from w2s_factory.quantities import MAX_TOKENS, SEED, MaxTokens
from w2s_factory.ranges import Seed, Share, problem
from w2s_factory.records.tabular_files import is_data_file
from w2s_factory.records.yaml_files import YamlFile, read_yaml
from w2s_factory.records.yaml_models import NAME, Name, StopText, parsed, place_of, validated
from w2s_factory.tasks.row_template import RowTemplate

_EXPERIMENT = "This is an experiment, not a task: its key task names one, and w2s-factory run carries it out"
"""The hint for a file that has the keys of an experiment."""

_ABOUT_ANSWERS = {
    "output",
    "answers",
    "answer_key",
    "extract",
    "normalise",
    "compare",
    "tolerance",
}
"""The keys that have no influence on how a question is asked."""


def _in_range(alias: Any) -> BeforeValidator:
    """Return the check of a declared number, with the message that all numbers get."""

    def check(value: Any) -> Any:
        if wrong := problem(value, alias):
            raise ValueError(wrong)
        return value

    return BeforeValidator(check)


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("expected text that is not blank")
    return text


_PER_CENT = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%\s*")


def _not_per_cent(value: Any) -> Any:
    """Return a share; refuse one in per cent, which YAML reads as text, with the number to write."""
    if isinstance(value, str) and (match := _PER_CENT.fullmatch(value)):
        raise ValueError(f"{value.strip()} is not a share; write {Decimal(match[1]) / 100:f}")
    return value


def _regex(pattern: str) -> Extraction:
    return parse_extraction(f"regex:{pattern}")


def _tolerance(value: Any) -> Tolerance:
    return Tolerance.parse(value)


Text: TypeAlias = Annotated[str, AfterValidator(_not_empty)]
JinjaText: TypeAlias = Annotated[str, parsed(RowTemplate)]
"""A Jinja template."""

Place: TypeAlias = tuple[str, str | None, str | None]
"""A data file, folder or data set on the hub, with the configuration and the split."""

ShareOfRows: TypeAlias = Annotated[Share, Gt(0)]
"""A share of the rows, above 0."""


class FileSection(BaseModel):
    """A section of a task file, in which unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class RowsSection(FileSection):
    """The place of rows.

    Attributes:
        path: A data file, or a folder that is laid out as data sets on the hub are.
        hub: A data set on the hub, in place of a path.
        config: The configuration of a folder or a data set.
        split: Its split.
    """

    path: Text | None = None
    hub: Text | None = None
    config: Text | None = None
    split: Text | None = None

    def __str__(self) -> str:
        parts = [self.path or self.hub, self.config, self.split]
        return ", ".join(part for part in parts if part)


class SplitSection(RowsSection):
    """A split of the task: all rows of a place, or a share of them; keys that it lacks are those of `rows`.

    Attributes:
        share: The share of the rows, drawn with the task's seed; None for all of them.
    """

    share: Annotated[ShareOfRows | None, _in_range(ShareOfRows | None), BeforeValidator(_not_per_cent)] = None

    @property
    def place(self) -> RowsSection:
        """The place of the rows, without the share."""
        return RowsSection(**self.model_dump(exclude={"share"}))


class AnswerSection(FileSection):
    """The rule that finds a row's gold answer.

    Attributes:
        column: The column that holds it.
        regex: A regular expression whose first group, where it matches last, is the answer; None if the
            whole column is.
    """

    column: Text
    regex: Annotated[str, parsed(_regex)] | None = None

    def of(self, text: str) -> str:
        """Return the answer in a column's text; empty if the regular expression does not match.

        Raises:
            UserError: The search takes too long.
        """
        return text if self.regex is None else _regex(self.regex)(text)


def _rows(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _answer(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def _splits(value: Any) -> Any:
    """Return splits with their short forms written out: a share, a file, or the name of a split of `rows`."""
    if not isinstance(value, dict):
        return value
    return {name: _split(split) for name, split in value.items()}


def _split(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"share": value}
    if isinstance(value, str) and _PER_CENT.fullmatch(value):
        return {"share": value}
    if isinstance(value, str):
        return {"path": value} if is_data_file(value) else {"split": value}
    return {} if value is None else value


class ColumnsSection(FileSection):
    """The columns of the rows.

    Attributes:
        question: The question; None if the prompt alone makes it up.
        answer: The gold answer; None if no gold answer is known.
        solution: The gold solution, which leads to the answer; None if there is none.
        id: The row's id; by default the column `id` if there is one, else the row's place.
    """

    question: Text | None = "question"
    answer: Annotated[AnswerSection | None, BeforeValidator(_answer)] = AnswerSection(column="answer")
    solution: Text | None = None
    id: Text | None = "id"


class DemonstrationSection(FileSection):
    """A question with a response to it; further keys are columns, for a prompt that uses them.

    Attributes:
        question: The question; None if the prompt needs none.
        response: The response.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    question: Text | None = None
    response: Text


class TaskFile(FileSection):
    """The whole task file.

    Attributes:
        name: The task's name; the name of the file by default.
        rows: The place of the rows.
        columns: Their columns.
        prompt: The prompt, a Jinja template over the columns and `question`; None for the published one, or
            in a chat for the question alone.
        system: The system prompt of chats.
        output: The gold solution as a model is taught to write it, a Jinja template over the columns and
            `question`, `solution`, `answer`; None for the solution.
        demonstrations: Questions with responses, which `generate --demos` shows if it names the task file.
        answers: Whether the answers are numbers or any text; None for numbers if they are compared as such.
        answer_key: The text that precedes the final answer in a response.
        extract: The way in which the final answer of a response is found.
        normalise: The form in which answers are compared: as they are, or as in the published release.
        compare: The comparison of answers.
        tolerance: The difference at which numbers still are equal.
        max_tokens: The longest response, in tokens.
        stop: Texts that end a response.
        splits: The splits by name; without any, `test` has all rows.
        seed: The seed with which shares are drawn.
    """

    name: Name | None = None
    rows: Annotated[RowsSection, BeforeValidator(_rows)] = RowsSection()
    columns: ColumnsSection = ColumnsSection()
    prompt: JinjaText | None = None
    system: Text | None = None
    output: JinjaText | None = None
    demonstrations: list[DemonstrationSection] = []
    answers: Literal["numbers", "text"] | None = None
    answer_key: str = ""
    extract: Annotated[str, parsed(parse_extraction)] = AUTO
    normalise: Literal["neutral", "published"] = "neutral"
    compare: Literal["text", "number", "symbolic", "math-verify"] = "text"
    tolerance: Annotated[Tolerance, BeforeValidator(_tolerance)] = EXACT
    max_tokens: Annotated[int, _in_range(MaxTokens)] = MAX_TOKENS
    stop: list[StopText] = []
    splits: Annotated[dict[str, SplitSection], BeforeValidator(_splits)] = {}
    seed: Annotated[int, _in_range(Seed)] = SEED

    @property
    def are_numbers(self) -> bool:
        """Whether the answers are numbers."""
        return self.answers == "numbers" or (self.answers is None and self.compare == "number")


@dataclass(frozen=True)
class Definition:
    """A task file that was read: its content, and the lines of its keys.

    Attributes:
        yaml: The file with its lines.
        content: Its content.
        splits: The splits, each with all keys that say where its rows are.
    """

    yaml: YamlFile
    content: TaskFile
    splits: dict[str, SplitSection]

    @property
    def path(self) -> Path:
        """The task file."""
        return self.yaml.path

    @property
    def name(self) -> str:
        """The task's name."""
        return self.content.name or self.path.stem

    @property
    def sha256(self) -> str:
        """The hash of what decides the questions and how they are asked: no comments, no rules of scoring."""
        asked = {key: value for key, value in self.yaml.values.items() if key not in _ABOUT_ANSWERS}
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()

    def error(self, problem: str, *where: str | int, hint: str | None = None) -> UserError:
        """Return an error about the key to which `where` leads, to be raised."""
        line, field = place_of(self.yaml.root, where), ".".join(map(str, where))
        return UserError(problem, file=self.path, line=line, field=field or None, hint=hint)

    def place(self, section: RowsSection) -> Place:
        """Return the place of rows, the same for paths to the same file or folder."""
        where = str(section.hub) if section.hub else str(self.local(section).resolve())
        return where, section.config, section.split

    def local(self, section: RowsSection) -> Path:
        """Return the path of rows that are not on the hub."""
        return self.path.parent / Path(section.path or "").expanduser()


def read_definition(path: Path) -> Definition:
    """Read a task file.

    Raises:
        UserError: The file cannot be read, has an unknown key or a value that its key does not take, names
            a file that does not exist, or draws more than all rows; with the line.
    """
    yaml = read_yaml(path, missing=_hint_for_missing)
    content = validated(yaml, TaskFile, other_files=dict.fromkeys(("weak", "strong"), _EXPERIMENT))
    whole = content.splits or {"test": SplitSection()}
    splits = {name: _with_rows(split, content.rows) for name, split in whole.items()}
    definition = Definition(yaml, content, splits)
    for name in splits:
        _check_place(definition, name)
    _check_shares(definition)
    _check_keys(definition)
    return definition


def _hint_for_missing(path: Path) -> str:
    return f"Write one with w2s-factory init --task {path}"


def _with_rows(split: SplitSection, rows: RowsSection) -> SplitSection:
    """Return a split with the keys of `rows` that it lacks; with a place of its own it lacks none."""
    if split.path or split.hub:
        return split
    given = {key: value for key, value in split.model_dump().items() if value is not None}
    return SplitSection(**(rows.model_dump() | given))


def _check_place(definition: Definition, name: str) -> None:
    """Check that the rows of a split are in one place, and that it exists if it is a file or folder."""
    split, own = definition.splits[name], definition.content.splits.get(name)
    section = ("splits", name) if own and (own.path or own.hub) else ("rows",)
    if not NAME.fullmatch(name):
        raise definition.error("expected a name of letters, digits, _, . and -", "splits", name)
    if bool(split.path) == bool(split.hub):
        problem = "has both path and hub" if split.path else "does not say where the rows are"
        raise definition.error(problem, *section, hint="Name a file or a folder: path, or a data set: hub")
    if split.hub:
        if not split.split:
            raise definition.error("expected the split of the data set (split: train)", *section)
        return
    path = definition.local(split)
    if not path.exists():
        raise definition.error(f"no such file or folder: {path}", *section)
    unread = [key for key in ("config", "split") if getattr(split, key)]
    if path.is_file() and unread:
        problem = f"{unread[0]} is read only where the rows are in a folder or on the hub; {path} is a file"
        raise definition.error(problem, "splits" if own else "rows", *([name] if own else []))


def _check_shares(definition: Definition) -> None:
    """Check that splits do not take the same rows: shares of a place add up to at most all of it."""
    by_place: dict[Place, list[str]] = {}
    for name, split in definition.splits.items():
        by_place.setdefault(definition.place(split), []).append(name)
    for names in by_place.values():
        shares = {name: definition.splits[name].share for name in names}
        whole = [name for name, share in shares.items() if share is None]
        if whole and len(names) > 1:
            others = ", ".join(name for name in names if name != whole[0])
            problem = f"takes all rows, so {others} would share rows with it"
            raise definition.error(problem, "splits", whole[0], hint="Give it a share")
        total = sum((exact_share(share) for share in shares.values()), Fraction(0))
        if total > 1:
            problem = f"expected shares of at most 1 in all, got {float(total):g} for {', '.join(names)}"
            raise definition.error(problem, "splits", names[-1])


def exact_share(share: float | None) -> Fraction:
    """Return a share as it is written, so that 0.1 is exactly a tenth; all rows if it is None."""
    return Fraction(1) if share is None else Fraction(repr(share))


def _check_keys(definition: Definition) -> None:
    """Check keys that depend on one another."""
    content = definition.content
    if content.tolerance != EXACT and content.compare != "number":
        problem = f"is read only with compare: number, got compare: {content.compare}"
        raise definition.error(problem, "tolerance")
    if content.columns.question is None and content.prompt is None:
        raise definition.error("expected a column, or a prompt that needs none", "columns", "question")
    tags = Counter(tag_of(definition.name, split) for split in definition.splits)
    if repeated := next((tag for tag, count in tags.items() if count > 1), None):
        raise definition.error(f"two splits have names that give the source {repeated}", "splits")


def tag_of(name: str, split: str) -> str:
    """Return the `source` of a split's test rows, as the release writes it: `GSM8K`, `GSM8K_TRAIN_2`."""
    return (name if split == "test" else f"{name}_{split}").upper()
