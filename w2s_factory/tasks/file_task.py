"""The task that a YAML file defines: its rows, its prompt, and the rule by which an answer is right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.extraction import final_answer
from w2s_factory.answers.normalisation import normalise
from w2s_factory.answers.number_equality import equal_numbers
from w2s_factory.records import ANY, content_hash
from w2s_factory.tasks.base import Task
from w2s_factory.tasks.fields import Split
from w2s_factory.tasks.row_values import RowReader
from w2s_factory.tasks.task_file import Definition, read_definition, tag_of
from w2s_factory.tasks.task_rows import TaskRows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from w2s_factory.answers.comparison import Comparison
    from w2s_factory.records import Demonstration, PlacedTable, Sft, Test
    from w2s_factory.tasks.task_file import DemonstrationSection


@dataclass(frozen=True, kw_only=True)
class FileTask(Task):
    """A task that a YAML file defines. It reads its own rows, so that its splits need no files of their own.

    A prompt that uses other columns than the question is rendered when a row is turned into the test form:
    there, the whole prompt is the question. Any other prompt is rendered when the question is asked.

    Attributes:
        definition: The file's content.
    """

    definition: Definition

    @cached_property
    def _rows(self) -> TaskRows:
        return TaskRows(self.definition)

    @cached_property
    def _reader(self) -> RowReader:
        return RowReader(self.definition)

    @property
    def teaches_gold(self) -> bool:  # type: ignore[override]  # other tasks know it by their class
        """Whether rows have a gold solution, or the file says how one is written."""
        return bool(self.definition.content.columns.solution or self.definition.content.output)

    @property
    def slow_comparison(self) -> bool:  # type: ignore[override]  # likewise
        """Whether answers are compared by a library that may take long."""
        return self.definition.content.compare in ("symbolic", "math-verify")

    def own_rows(self, split: str) -> PlacedTable:
        """Return the rows of a split, each with its place in the data files.

        Raises:
            UserError: There is no such split, or its rows cannot be read or have not the columns named.
            DelegateError: They cannot be loaded from the hub.
        """
        self.split(split)
        return self._rows.split(split)

    def own_files(self, split: str) -> list[Path]:
        """Return the files that decide the rows of a split: the task file and its data files.

        Raises:
            UserError: There is no such split.
        """
        self.split(split)
        return [self.definition.path, *self._rows.files(split)]

    @property
    def file_sha256(self) -> str:
        """The hash of what the file says about questions and how they are asked."""
        return self.definition.sha256

    @property
    def question_sources(self) -> frozenset[str] | None:
        """The sources of the splits if whole rows give the prompt; None if any question can be asked."""
        tags = frozenset(split.tag for split in self.splits.values())
        return None if self._reader.asks_question_alone else tags

    def test_row(self, raw: Mapping[str, Any], tag: str) -> Test:
        """Return a row in the test form, with its id if its place in the split is not its id."""
        test: Test = {
            "source": tag,
            "question": self._reader.question(raw),
            "solution": self._reader.solution(raw),
            "answer": self._reader.answer(raw),
            "tag": {},
        }
        name = self._reader.row_id(raw)
        identified: Any = test if name is None else {"id": name, **test}
        return identified  # type: ignore[no-any-return]  # the form, with an id

    def gold_output(self, raw: Mapping[str, Any]) -> str:
        """Return the gold solution as the file's `output` writes it, or as it is in its column."""
        return self._reader.output(raw)

    def gold_row(self, row_id: int, raw: Mapping[str, Any]) -> Sft:
        """Return the gold SFT row of a raw row, with the row's own id."""
        name = self._reader.row_id(raw)
        return {**super().gold_row(row_id, raw), "id": row_id if name is None else name}

    def prompt(self, question: str) -> str:
        """Return the prompt of a question as one text: the file's own, or else the published one."""
        return super().prompt(question) if self._reader.prompt is None else self.user_turn(question)

    def user_turn(self, question: str) -> str:
        """Return the prompt of a question as a user writes it in a chat: the file's own, or the question."""
        template = self._reader.prompt
        if template is None or not self._reader.asks_question_alone:
            return question
        return self._reader.rendered("prompt", template, {"question": question})

    @property
    def demonstrations(self) -> list[Demonstration]:
        """The file's demonstrations, each with its question's prompt.

        Raises:
            UserError: A prompt cannot be rendered; with the line.
        """
        shown = self.definition.content.demonstrations
        return [self._demonstration(number, each) for number, each in enumerate(shown)]

    def _demonstration(self, number: int, shown: DemonstrationSection) -> Demonstration:
        values = {**(shown.model_extra or {}), "question": shown.question}
        if not self._reader.asks_question_alone:
            question = self._reader.rendered_prompt(values)
        elif shown.question is None:
            raise self.definition.error("is missing", "demonstrations", number, "question")
        else:
            question = shown.question
        return {
            "id": f"{self.name}_demonstration_{number}",
            "prompt": self.prompt(question),
            "response": shown.response,
            "source": str(self.definition.path),
            "sha256": content_hash(self.definition.path),
        }

    def extract(self, response: str, answer_key: str | None = None) -> str:
        """Return the final answer as the release finds it after the answer key; without a key, all of it."""
        key = self.answer_key if answer_key is None else answer_key
        return final_answer(response, key) if key else response.strip()

    def normalise(self, answer: str) -> str:
        """Return the form in which answers are compared: without whitespace at both ends, or as published."""
        published = self.definition.content.normalise == "published"
        return normalise(answer) if published else answer.strip()

    def normalise_gold(self, answer: str) -> str | None:
        """Return the same for a gold answer; None if it is empty, which means that it is not known."""
        return self.normalise(answer) if answer.strip() else None

    def equal(self, answer: str, reference: str) -> bool:
        """Return whether an answer equals a reference, compared as the file says, in this process."""
        compare = self.definition.content.compare
        if compare == "text":
            return answer == reference
        if compare == "number":
            return equal_numbers(answer, reference, self.definition.content.tolerance)
        how = self.comparison()
        found = how.quick(answer, reference)
        return how.slow(answer, reference) if found is None else found

    def comparison(self) -> Comparison:
        """Return the comparison that the file names: at once, or by a library in workers.

        Raises:
            UserError: A package it needs is missing or has the wrong version.
        """
        from w2s_factory.answers.comparison import comparison  # noqa: PLC0415  most uses compare nothing

        compare = self.definition.content.compare
        mode = compare if self.slow_comparison else "published"
        return comparison(mode, super().comparison)


def read_file_task(path: Path) -> FileTask:
    """Return the task that a YAML file defines.

    Raises:
        UserError: The file cannot be read or is not a task file; with the line.
    """
    definition = read_definition(path)
    content, name = definition.content, definition.name
    splits = {
        split: Split(f"{split}.jsonl", f"golds/{split}.jsonl", tag_of(name, split))
        for split in definition.splits
    }
    return FileTask(
        name=name,
        raw_form=ANY,
        splits=splits,
        answer_key=content.answer_key,
        answers_are_numbers=content.are_numbers,
        extraction=content.extract,
        max_tokens=content.max_tokens,
        stop=tuple(content.stop),
        system=content.system,
        file=path,
        definition=definition,
    )
