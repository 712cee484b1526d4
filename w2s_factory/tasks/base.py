"""A benchmark: a `Task`, to be subclassed for one of your own. Its rules are neutral.

The rules of the published release are in `published_task`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from w2s_factory.errors import UserError
from w2s_factory.quantities import PAIRS_PER_QUESTION, MaxTokens, PairsPerQuestion
from w2s_factory.records import ANSWERED, OUTPUT, Form
from w2s_factory.tasks.hooks import (
    TEXT,
    guard,
    is_text,
    is_text_or_none,
    refuse_near_names,
    refuse_wrong_fields,
    refuse_wrong_parts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.answers.comparison import Comparison
    from w2s_factory.records import Result, Sft, Test

_NAME = re.compile(r"[\w.-]+")

LLAMA2_70B = "meta-llama/Llama-2-70b-hf"
"""The paper's strong model, on the hub."""


@dataclass(frozen=True)
class Split:
    """One part of a task.

    Attributes:
        raw: The file of raw rows, below the task's root (for the paper's tasks: the release's root).
        test: The file of questions with golds, in the release's test form, below the same root.
        tag: `source` of its test rows (`GSM8K_TRAIN_2`).
    """

    raw: str
    test: str
    tag: str

    def __post_init__(self) -> None:
        refuse_wrong_parts(self, dict.fromkeys(("raw", "test", "tag"), (TEXT, is_text)))


@dataclass(frozen=True, kw_only=True)
class Example:
    """Results that come with a task, so that a first run needs no model's responses.

    Attributes:
        weak: Results of the weak side.
        icl: Results of the icl side, on the same questions.
        weak_name: The weak model, as file and dataset names have it.
        model: What the emitted configs train: a folder.
        preset: The preset that trains it; None is the stage's own.
    """

    weak: Path
    icl: Path
    weak_name: str
    model: Path
    preset: str | None = None

    def __post_init__(self) -> None:
        for name in ("weak", "icl", "model"):
            _text_to_path(self, name)
        refuse_wrong_parts(
            self,
            {
                **dict.fromkeys(("weak", "icl"), ("a file", _is_path)),
                "weak_name": (TEXT, is_text),
                "model": ("a folder", _is_path),
                "preset": (f"{TEXT}, or None", is_text_or_none),
            },
        )


@dataclass(frozen=True, kw_only=True)
class Task:
    """A benchmark: its rows, its prompt, and when an answer is right.

    A subclass must say how a raw row is read (`test_row`), and may say more. What it does not say is
    neutral: the final answer is the whole response, or what follows the last `answer_key` in it; whitespace
    at both ends does not count; an answer is right if it is the same text as the gold. Nothing is cut,
    deleted or converted. The rules of GSM8K and MATH in the published release are in `PublishedTask`.

    A method that raises an error or returns a value of the wrong type is reported as a `UserError` that
    names the task and the method.

    Attributes:
        name: The task's name in commands.
        raw_form: The form of a raw row.
        splits: Its parts by name (`train_1`, `train_2`, `test`; `arithmetic` also has `dev`).
        answer_key: The text that precedes the final answer in a response; empty if the whole response is
            the answer.
        max_tokens: The longest response, in tokens.
        stop: Texts that end a response.
        strong_model: The model that emitted configs train by default.
        strong_preset: The preset that fine-tunes the strong model.
        pairs_per_question: The most pairs Stage II makes of one question.
        strip_response: Whether `written_response` removes whitespace at both ends.
        demonstration_end: The text after each demonstration in a few-shot prompt, the last one too.
        root: The folder of its files, a path or text, where they come with a package; None where the user
            names it.
        example: Results that come with it.
    """

    name: str
    raw_form: Form[Any]
    splits: Mapping[str, Split] = field(default_factory=dict)
    answer_key: str = ""
    max_tokens: MaxTokens = 1024
    stop: tuple[str, ...] = ()
    strong_model: str | None = None
    strong_preset: str = "strong_lora_sft"
    pairs_per_question: PairsPerQuestion = PAIRS_PER_QUESTION
    strip_response: bool = True
    demonstration_end: str = "\n\n"
    root: Path | None = None
    example: Example | None = None

    teaches_gold: ClassVar[bool] = True
    """Whether it has gold solutions, so that a weak model and a strong ceiling can be trained on them."""

    compares_responses: ClassVar[bool] = False
    """Whether Stage I compares whole responses, so that results need no `pred`."""

    slow_comparison: ClassVar[bool] = False
    """Whether `equal` may take long or hang, so that it must run in a process that can be killed."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        refuse_near_names(cls, Task)
        guard(cls, Task)

    def __post_init__(self) -> None:
        _text_to_path(self, "root")
        refuse_wrong_fields(self)

    def split(self, name: str) -> Split:
        """Return the split of that name.

        Raises:
            UserError: The task has no such split.
        """
        if name in self.splits:
            return self.splits[name]
        known = f"It has {', '.join(self.splits)}" if self.splits else "It has no splits: name files instead"
        raise UserError(f'task {self.name} has no split "{name}"', hint=known)

    def path(self, file: str, root: Path | None = None) -> Path:
        """Where a file of a `Split` lies: below `root`, or else below the task's own.

        Raises:
            UserError: No root is given and the task has none.
        """
        below = root or self.root
        if below is None:
            raise UserError(f"the files of task {self.name} lie below a root that must be named")
        return below / file

    def prompt(self, question: str) -> str:
        """Return the zero-shot prompt of a question: by default the published one.

        It has no part in deciding whether an answer is right.
        """
        return f"Question: {question}\nAnswer:"

    def written_response(self, text: str) -> str:
        """Return a generated text as it is written into `output.jsonl`."""
        return text.strip() if self.strip_response else text

    def test_row(self, raw: Mapping[str, Any], tag: str) -> Test:  # noqa: ARG002  a subclass uses them
        """Return a raw row in the test form: question, gold solution, gold answer.

        Raises:
            UserError: The row does not have them, or the task does not say how to read it.
        """
        raise _missing(self, "test_row", "how a raw row becomes a question with its gold answer")

    def gold_output(self, raw: Mapping[str, Any]) -> str:  # noqa: ARG002  a subclass uses it
        """Return the gold solution as a model is taught to write it.

        Raises:
            UserError: The row has none, or the task does not say how to read it.
        """
        raise _missing(self, "gold_output", "how a gold solution is written")

    def gold_row(self, row_id: int, raw: Mapping[str, Any]) -> Sft:
        """The gold SFT row of a raw row; `row_id` is its 0-based place in the file."""
        question = self.test_row(raw, "")["question"]
        return {"id": row_id, "content": self.prompt(question), "output": self.gold_output(raw)}

    @property
    def results_form(self) -> Form[Any]:
        """What Stage I asks of a results row: with `pred`, unless whole responses are compared."""
        return OUTPUT if self.compares_responses else ANSWERED

    def answer(self, result: Result) -> str:
        """The final answer of a results row, normalised: its `pred`, or where that is missing extracted.

        With `compares_responses` it is always taken from the response.
        """
        if "pred" in result and not self.compares_responses:
            return result["pred"]
        return self.normalise(self.extract(result["response"]))

    def extract(self, response: str, answer_key: str | None = None) -> str:
        """Return the final answer of a response as written; empty if there is none.

        It is what follows the last answer key, or the whole response if there is no key, without whitespace
        at both ends.

        Args:
            response: The text a model wrote.
            answer_key: The text that precedes the final answer, if not the task's own.
        """
        key = self.answer_key if answer_key is None else answer_key
        _, found, answer = response.rpartition(key) if key else ("", True, response)
        return answer.strip() if found else ""

    def extract_any(self, response: str) -> str:  # noqa: ARG002  tasks with numbers for answers use it
        """The final answer of a response in whatever format it was given; empty if there is none.

        It tells a model that can't do the task from one that does not know its answer format.

        Raises:
            UserError: The task has no way to find such an answer.
        """
        raise UserError(
            f"task {self.name} finds answers in its own format only",
            field="answers",
            hint="any is for tasks whose answers are numbers",
        )

    def normalise(self, answer: str) -> str:
        """Return the form in which an answer, predicted or gold, is compared and written to results."""
        return answer.strip()

    def normalise_gold(self, answer: str) -> str | None:
        """The form in which the gold of a test row is compared and written: that of any answer.

        A task whose golds say more than an answer does writes them so that no normalised answer is alike. One
        in which golds may be unknown gives None for them: then there is no verdict.
        """
        return self.normalise(answer)

    def is_answer(self, gold: str) -> bool:  # noqa: ARG002  tasks whose golds say more use it
        """Whether the gold of a test row is an answer and says no more, so that any mode can compare it."""
        return True

    def equal(self, pred: str, gold: str) -> bool:
        """Whether a normalised prediction is right, in the mode `published`: the same text.

        Stage I asks it of the icl answer and the weak one, Stage II and the vote of samples' answers.
        """
        return pred == gold

    def comparison(self) -> Comparison:
        """How `equal` finds its verdict: what is certain at once, and what needs a worker.

        Raises:
            UserError: A package it needs is missing or of the wrong version.
        """
        from w2s_factory.answers.comparison import own_comparison  # noqa: PLC0415  most uses compare nothing

        return own_comparison(self.equal, slow=self.slow_comparison)

    @property
    def folder(self) -> str:
        """The task's folder in the release's tree."""
        return self.name

    def file_stem(self, weak_name: str, kind: str) -> str:
        """The release's name, without its suffix, of a training file: `train_gsm8k_llama2_7b_full_weak`.

        Raises:
            UserError: The weak model's name can't be part of a file's and a dataset's name.
        """
        if not _NAME.fullmatch(weak_name):
            raise UserError(
                f'"{weak_name}" cannot be part of a file name',
                field="--weak-name",
                hint="Use letters, digits, and the signs _ . -",
            )
        return f"train_{self.stem}_{weak_name}_{kind}"

    @property
    def stem(self) -> str:
        """What files and datasets call the task."""
        return self.name

    def dataset_name(self, name: str) -> str:
        """A dataset's name in the index, from that of its file without `train_`."""
        return name


def _is_path(value: Any) -> bool:
    return isinstance(value, Path)


def _text_to_path(part: Any, name: str) -> None:
    """Make a field a path where it was given as text."""
    if isinstance(value := getattr(part, name), str):
        object.__setattr__(part, name, Path(value))  # the class is frozen


def _missing(task: Task, method: str, what: str) -> UserError:
    """Return the error that a subclass does not define a method it needs, to be raised."""
    return UserError(
        f"task {task.name} does not say {what}",
        hint=f"Define {type(task).__name__}.{method} (see docs/tasks.md)",
    )
