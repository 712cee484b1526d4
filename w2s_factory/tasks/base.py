"""The class `Task`: a benchmark's rules and defaults (stop texts, token limit, file names), to be subclassed.

The rules of the published release are in `published_task`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from w2s_factory.answers.extraction import PUBLISHED
from w2s_factory.errors import UserError
from w2s_factory.quantities import MAX_TOKENS, PAIRS_PER_QUESTION, MaxTokens, PairsPerQuestion
from w2s_factory.records import ANSWERED, OUTPUT, Form, content_hash
from w2s_factory.tasks.fields import Example, Split, refuse_wrong_fields, text_to_path
from w2s_factory.tasks.hooks import guard, refuse_near_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from w2s_factory.answers.comparison import Comparison
    from w2s_factory.records import Demonstration, Result, RowSource, Sft, Test

_NAME = re.compile(r"[\w.-]+")

LLAMA2_70B = "meta-llama/Llama-2-70b-hf"
"""The paper's strong model, on the hub."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A benchmark: its rows, its prompt, and the rule by which an answer is right.

    A subclass must define how a raw row is read (`test_row`) and may define more. The other methods are
    neutral: the final answer is the whole response, or the text after the last `answer_key` in it; whitespace
    at both ends does not count; an answer is right if it is the same text as the gold answer. Nothing is cut,
    deleted or converted. The rules of GSM8K and MATH in the published release are in `PublishedTask`.

    A method that raises an error or returns a value of the wrong type is reported as a `UserError` that
    names the task and the method.

    Attributes:
        name: The task's name in commands.
        raw_form: The form of a raw row.
        splits: Its parts by name (`train_1`, `train_2`, `test`; `arithmetic` also has `dev`).
        answer_key: The text that precedes the final answer in a response; empty if the whole response is
            the answer.
        max_tokens: The largest number of tokens of a response.
        stop: Texts that end a response.
        strong_model: The model that emitted configs train by default.
        strong_preset: The preset that fine-tunes the strong model.
        pairs_per_question: The largest number of pairs that Stage II builds from one question.
        strip_response: Whether `written_response` removes whitespace at both ends.
        demonstration_end: The text after each demonstration in a few-shot prompt, also after the last.
        root: The folder of its files, as a path or text, if they come with a package; None if the user names
            it.
        example: Results that come with the task.
        answers_are_numbers: Whether every answer is a number, so that the number is taken from a text.
        extraction: The way in which final answers are found unless a command names another one
            (`answers.extraction.WAYS`); `published` is the method `extract`.
        system: The system prompt of chats; None for none.
        file: The file that defines the task, if it was named by its path.
    """

    name: str
    raw_form: Form[Any]
    splits: Mapping[str, Split] = field(default_factory=dict)
    answer_key: str = ""
    max_tokens: MaxTokens = MAX_TOKENS
    stop: tuple[str, ...] = ()
    strong_model: str | None = None
    strong_preset: str = "strong_lora_sft"
    pairs_per_question: PairsPerQuestion = PAIRS_PER_QUESTION
    strip_response: bool = True
    demonstration_end: str = "\n\n"
    root: Path | None = None
    example: Example | None = None
    answers_are_numbers: bool = False
    extraction: str = PUBLISHED
    system: str | None = None
    file: Path | None = None

    teaches_gold: ClassVar[bool] = True
    """Whether the task has gold solutions, on which a weak model and a strong ceiling can be trained."""

    compares_responses: ClassVar[bool] = False
    """Whether Stage I compares whole responses, so that results need no `pred`."""

    slow_comparison: ClassVar[bool] = False
    """Whether `equal` may take long or hang, so that it must run in a process that can be killed."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        refuse_near_names(cls, Task)
        guard(cls, Task)

    def __post_init__(self) -> None:
        text_to_path(self, "root")
        text_to_path(self, "file")
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
        """Return the path of a split's file, below `root` or else below the task's own root.

        Raises:
            UserError: No root is given and the task has none.
        """
        below = root or self.root
        if below is None:
            raise UserError(f"the folder that contains the files of task {self.name} must be named")
        return below / file

    def own_rows(self, split: str) -> RowSource | None:  # noqa: ARG002  tasks from a file use it
        """Return the raw rows of a split if the task reads them itself; None if they are in files of theirs.

        Raises:
            UserError: There is no such split, or its rows cannot be read.
        """
        return None

    def own_files(self, split: str) -> list[Path]:  # noqa: ARG002  likewise
        """Return the files from which the task reads a split's rows itself; none if it does not."""
        return []

    @property
    def question_sources(self) -> frozenset[str] | None:
        """The only values of `source` that rows of questions may have; None if any question can be asked.

        A task that renders its prompts from whole rows can ask only questions that it has turned into the
        test form itself: there, the question is the rendered prompt.
        """
        return None

    @property
    def demonstrations(self) -> list[Demonstration]:
        """The task's own demonstrations, which `generate --demos FILE` shows if it names the task's file."""
        return []

    @property
    def argument(self) -> str:
        """The text by which `--task` finds the task: its name, or the path of the file that defines it."""
        return self.name if self.file is None else str(self.file)

    @property
    def file_sha256(self) -> str | None:
        """The hash of the file that defines the task, so that a change is noticed; None if it has a name."""
        return None if self.file is None else content_hash(self.file)

    def prompt(self, question: str) -> str:
        """Return the zero-shot prompt of a question, by default the published one.

        It does not influence whether an answer is right.
        """
        return f"Question: {question}\nAnswer:"

    def user_turn(self, question: str) -> str:
        """Return the user's turn that asks a question in a chat, by default the question alone."""
        return question

    def written_response(self, text: str) -> str:
        """Return a generated text as it is written into `output.jsonl`."""
        return text.strip() if self.strip_response else text

    def test_row(self, raw: Mapping[str, Any], tag: str) -> Test:  # noqa: ARG002  a subclass uses them
        """Return a raw row in the test form: question, gold solution, gold answer.

        Raises:
            UserError: The row lacks one of them, or the task does not define this method.
        """
        raise _missing(self, "test_row", "how a raw row becomes a question with its gold answer")

    def gold_output(self, raw: Mapping[str, Any]) -> str:  # noqa: ARG002  a subclass uses it
        """Return the gold solution as a model is taught to write it.

        Raises:
            UserError: The row has no solution, or the task does not define this method.
        """
        raise _missing(self, "gold_output", "how a gold solution is written")

    def gold_row(self, row_id: int, raw: Mapping[str, Any]) -> Sft:
        """Return the gold SFT row of a raw row; `row_id` is its 0-based place in the file."""
        question = self.test_row(raw, "")["question"]
        return {"id": row_id, "content": self.prompt(question), "output": self.gold_output(raw)}

    @property
    def results_form(self) -> Form[Any]:
        """Return the form of results that Stage I needs: with `pred`, unless whole responses are compared."""
        return OUTPUT if self.compares_responses else ANSWERED

    def answer(self, result: Result) -> str:
        """Return the normalised final answer of a results row: its `pred`, or extracted if that is missing.

        With `compares_responses` it is always extracted from the response.
        """
        if "pred" in result and not self.compares_responses:
            return result["pred"]
        return self.normalise(self.extract(result["response"]))

    def extract(self, response: str, answer_key: str | None = None) -> str:
        """Return the final answer of a response as written; empty if there is none.

        It is the text after the last answer key, or the whole response if the key is empty, without
        whitespace at both ends.

        Args:
            response: The text a model wrote.
            answer_key: The text that precedes the final answer; by default the task's own.
        """
        key = self.answer_key if answer_key is None else answer_key
        _, found, answer = response.rpartition(key) if key else ("", True, response)
        return answer.strip() if found else ""

    def extract_any(self, response: str) -> str:  # noqa: ARG002  tasks with numbers for answers use it
        """Return the final answer of a response in whatever format it is; empty if there is none.

        This distinguishes a model that cannot solve the task from one that does not know its answer format.

        Raises:
            UserError: The task has no way to find such an answer.
        """
        raise UserError(
            f"task {self.name} finds answers in its own format only",
            field="answers",
            hint="any is for tasks whose answers are numbers",
        )

    def normalise(self, answer: str) -> str:
        """Return the form in which an answer, of a model or gold, is compared and written to results."""
        return answer.strip()

    def normalise_gold(self, answer: str) -> str | None:
        """Return the form in which the gold answer of a test row is compared and written: that of any answer.

        A task whose gold answers hold more than one text must write them so that no normalised answer equals
        them. Where the gold answer may be unknown, it returns None for it; then there is no verdict.
        """
        return self.normalise(answer)

    def is_answer(self, gold: str) -> bool:  # noqa: ARG002  tasks with other golds use it
        """Return whether the gold of a test row is a plain answer, which every mode can compare."""
        return True

    def equal(self, answer: str, reference: str) -> bool:
        """Return whether a normalised answer equals a reference, in the mode `published`: the same text.

        The reference is the gold answer in scoring, the weak model's answer in Stage I, and the answer of
        another sample in Stage II and in the vote.
        """
        return answer == reference

    def comparison(self) -> Comparison:
        """Return the comparison that finds the verdicts of `equal`: at once, or in a worker.

        Raises:
            UserError: A package it needs is missing or has the wrong version.
        """
        from w2s_factory.answers.comparison import own_comparison  # noqa: PLC0415  most uses compare nothing

        return own_comparison(self.equal, slow=self.slow_comparison)

    @property
    def folder(self) -> str:
        """The task's folder in the release."""
        return self.name

    def file_stem(self, weak_name: str, kind: str) -> str:
        """Return the release's name of a training file, without suffix: `train_gsm8k_llama2_7b_full_weak`.

        Raises:
            UserError: The weak model's name cannot be part of the name of a file and a dataset.
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
        """The task's name in the names of files and datasets."""
        return self.name

    def dataset_name(self, name: str) -> str:
        """Return a dataset's name in the index, given the name of its file without `train_`."""
        return name


def _missing(task: Task, method: str, what: str) -> UserError:
    """Return the error that a subclass lacks a method it needs, to be raised."""
    return UserError(
        f"task {task.name} does not say {what}",
        hint=f"Define {type(task).__name__}.{method} (see docs/tasks.md)",
    )
