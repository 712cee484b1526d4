"""The description of a generation: model, questions, sampling, and the settings that decide responses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError, shown
from w2s_factory.generating.chat_settings import Chat, ChatSettings
from w2s_factory.generating.demonstrations import read_demonstrations
from w2s_factory.generating.engines import Model, default_engine
from w2s_factory.generating.generation_files import Shard
from w2s_factory.generating.requests import Request, Sampling
from w2s_factory.prompts import conversation_of, demonstrated, prompt_of, read_questions
from w2s_factory.quantities import QuestionCount, Temperature
from w2s_factory.ranges import Seed, check, check_fields
from w2s_factory.records import rows_of
from w2s_factory.tasks import get_task
from w2s_factory.tasks.published_task import PUBLISHED_STOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.prompts import Conversation, Question
    from w2s_factory.records import Demonstration, Id, RowsLike, RowSource
    from w2s_factory.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A generation: the questions, the model that answers them, and all settings.

    A task, a model and a shard (`"2/4"`) may be given by name, files as texts, and questions and
    demonstrations as rows or DataFrames.

    Attributes:
        task: The task, which defines the prompt and how a response is written.
        questions: The file of questions (see `split_file`), or rows with a `question`.
        model: The model that answers.
        output_dir: The folder for the responses.
        sampling: How tokens are chosen; by default greedily, at most 1,024, without stop texts.
        seeds: The seeds; there is one response to each question for each seed. A greedy run has one.
        engine: The name of the engine.
        engine_options: The engine's own options, by name.
        demonstrations: The file of demonstrations for weak ICL, or the value of `pick_demonstrations`; None
            for zero-shot prompts.
        exclude_demos: Leave a demonstration out of the prompt of its own question.
        limit: Use only this many questions, the first ones.
        shard: Use only this part of the questions.
        chat: The settings of a chat, with the task's system prompt unless they have one; None to give the
            model the task's own prompts, as published.
    """

    task: Task
    questions: RowSource
    model: Model
    output_dir: Path
    sampling: Sampling = field(default_factory=Sampling)
    seeds: Sequence[Seed] = (0,)
    engine: str = field(default_factory=default_engine)
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    demonstrations: RowSource | None = None
    exclude_demos: bool = False
    limit: QuestionCount | None = None
    shard: Shard | None = None
    chat: ChatSettings | None = None

    if TYPE_CHECKING:  # more types may be given than are kept

        def __init__(  # noqa: PLR0913  they are the fields
            self,
            *,
            task: Task | str,
            questions: RowsLike,
            model: Model | str | Path,
            output_dir: str | Path,
            sampling: Sampling = ...,
            seeds: Sequence[Seed] = ...,
            engine: str = ...,
            engine_options: Mapping[str, Any] = ...,
            demonstrations: RowsLike | None = ...,
            exclude_demos: bool = ...,
            limit: QuestionCount | None = ...,
            shard: Shard | str | None = ...,
            chat: ChatSettings | None = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_fields(self)
        seeds = _checked_seeds(self.seeds)
        task = get_task(self.task)
        for name, (words, types) in _TYPES.items():
            if not isinstance(value := getattr(self, name), types) or value == "":
                raise UserError(f"expected {words}, got {shown(value)}", field=name)
        given: dict[str, Any] = {
            "task": task,
            "seeds": seeds,
            "questions": rows_of(self.questions, "questions"),
            "model": Model(self.model) if isinstance(self.model, (str, Path)) else self.model,
            "output_dir": Path(self.output_dir),
            "shard": Shard.parse(self.shard) if isinstance(self.shard, str) else self.shard,
        }
        if self.demonstrations is not None:
            given["demonstrations"] = rows_of(self.demonstrations, "demonstrations")
        if self.chat is not None and self.chat.system is None:
            given["chat"] = replace(self.chat, system=task.system)
        for name, value in given.items():
            object.__setattr__(self, name, value)  # the class is frozen

    @cached_property
    def all_questions(self) -> list[Question]:
        """The questions of all shards together.

        Raises:
            UserError: The file cannot be read or holds no questions.
        """
        questions = read_questions(self.questions, self.task.question_sources)[: self.limit]
        if not questions:
            raise UserError("holds no questions", file=self.questions)
        return questions

    @cached_property
    def shown(self) -> list[Demonstration]:
        """The demonstrations; none for zero-shot prompts."""
        return [] if self.demonstrations is None else read_demonstrations(self.demonstrations)

    @property
    def inputs(self) -> list[RowSource]:
        """The sources of the prompts: the questions, and demonstrations and Jinja file if there are any."""
        template = None if self.chat is None else self.chat.file
        others = [source for source in (self.demonstrations, template) if source is not None]
        return [self.questions, *others]

    @cached_property
    def given_away(self) -> list[Id]:
        """The ids of questions that a demonstration answers."""
        return demonstrated(self.task, self.all_questions, self.shown)

    @cached_property
    def _prompts(self) -> list[tuple[Id, str]]:
        prompts = [
            (question.id, prompt_of(self.task, question, self.shown, exclude_own=self.exclude_demos))
            for question in self.all_questions
        ]
        _check_not_blank(self.task, prompts)
        return prompts

    @cached_property
    def _conversations(self) -> list[tuple[Id, Conversation]]:
        chat = self.chat or ChatSettings()
        ways: dict[str, Any] = {"system": chat.system or None, "one_text": chat.demonstrations == "text"}
        asked = [
            (
                question.id,
                conversation_of(self.task, question, self.shown, exclude_own=self.exclude_demos, **ways),
            )
            for question in self.all_questions
        ]
        _check_not_blank(self.task, [(name, conversation.user_turn) for name, conversation in asked])
        return asked

    def requests(self, seed: Seed, chat: Chat | None = None) -> list[Request]:
        """Return the requests of one seed in the order of the questions; of a shard, its own part.

        Args:
            seed: The seed.
            chat: The chat as the engine's model takes it; None outside a chat.

        Raises:
            UserError: The chat template cannot render a conversation.
        """
        if chat is not None:
            asked = self.shard.take(self._conversations) if self.shard else self._conversations
            return [chat.request(question, seed, conversation) for question, conversation in asked]
        prompts = self.shard.take(self._prompts) if self.shard else self._prompts
        return [Request(question, seed, prompt) for question, prompt in prompts]

    def settings(self, engine: Mapping[str, Any], seed: Seed, chat: Chat | None = None) -> dict[str, Any]:
        """Return the settings that decide one seed's responses; only a run with equal ones is continued.

        The key `chat` is there only in a chat, so that runs started without that setting are continued.
        """
        return {
            "task": self.task.name,
            **({} if self.task.file is None else {"task_file": self.task.file_sha256}),
            "questions": _hash([[question.id, question.text] for question in self.all_questions]),
            "demonstrations": _hash([[shown["prompt"], shown["response"]] for shown in self.shown]),
            "prompts": _hash(self._prompts if chat is None else self._conversations),
            "shard": str(self.shard) if self.shard else None,
            "engine": self.engine,
            **engine,
            **self.sampling.settings(),
            "seed": seed if self.sampling.temperature > 0 else None,
            **({} if chat is None else {"chat": chat.recorded()}),
        }


def _check_not_blank(task: Task, prompts: Sequence[tuple[Id, str]]) -> None:
    """Check that every question has a prompt.

    Raises:
        UserError: A prompt is blank; names the question.
    """
    for name, prompt in prompts:
        if not prompt.strip():
            raise UserError(f"id {name!r}: the task {task.name} gives a blank prompt")


_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "model": ("a Model, or a model's folder or name", (Model, str, Path)),
    "output_dir": ("a folder", (str, Path)),
    "sampling": ("a Sampling", (Sampling,)),
    "engine": ("the name of an engine", (str,)),
    "engine_options": ("options by name", (Mapping,)),
    "exclude_demos": ("True or False", (bool,)),
    "chat": ("ChatSettings or None", (ChatSettings, NoneType)),
    "shard": ('a Shard, text such as "2/4", or None', (Shard, str, NoneType)),
}
"""The fields of which only the type is checked here: the allowed values in words, and their types."""


def _checked_seeds(seeds: Any) -> tuple[Seed, ...]:
    """Return the seeds of a run as a tuple.

    Raises:
        UserError: There are none, or one is out of range or duplicate: two would write to one folder.
    """
    if isinstance(seeds, (str, bytes, Mapping)) or not isinstance(seeds, Iterable):
        raise UserError(f"expected a list of seeds, got {shown(seeds)}", field="seeds")
    found = tuple(seeds)
    for seed in found:
        check(seed, Seed, "seeds")
    if not found:
        raise UserError("expected one or more seeds, got none", field="seeds")
    if len(set(found)) < len(found):
        raise UserError(f"expected different seeds, got {shown(list(found))}", field="seeds")
    return tuple(map(int, found))


def published_sampling(task: Task, temperature: Temperature = 0.0, *, in_chat: bool = False) -> Sampling:
    """Return the release's sampling for a task: the task's token limit and stop texts, and top_p 1.

    In a chat the published stop texts do not apply: they end a base model's responses before it makes up the
    next question, and a chat model ends its turn by itself. Others are those of a user's own task.
    """
    stop = tuple(text for text in task.stop if not (in_chat and text in PUBLISHED_STOP))
    return Sampling(temperature=temperature, max_tokens=task.max_tokens, stop=stop)


def _hash(items: list[Any]) -> str:
    return f"{len(items)}, sha256:{hashlib.sha256(json.dumps(items).encode()).hexdigest()}"
