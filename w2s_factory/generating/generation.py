"""A run of generation: everything that is asked for, and what of it decides the responses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError, shown
from w2s_factory.generating.demonstrations import read_demonstrations
from w2s_factory.generating.engines import Model, default_engine
from w2s_factory.generating.generation_files import Shard
from w2s_factory.generating.requests import Request, Sampling
from w2s_factory.prompts import demonstrated, prompt_of, read_questions
from w2s_factory.quantities import QuestionCount, Temperature
from w2s_factory.ranges import Seed, check, check_fields
from w2s_factory.records import rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.prompts import Question
    from w2s_factory.records import Demonstration, Id, RowsLike, RowSource
    from w2s_factory.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What is to be generated.

    A task, a model and a shard may be given by name (`"2/4"`), files as texts, and questions and
    demonstrations as rows or DataFrames.

    Attributes:
        task: Gives the prompt, and how a response is written.
        questions: Their file, see `split_file`; or rows with a `question`.
        model: Which model answers.
        output_dir: Where the responses go.
        sampling: How tokens are chosen; by default greedy, with the task's token limit and stop texts.
        seeds: One response a question for each; a greedy run has one.
        engine: Its name.
        engine_options: Its own options.
        demonstrations: Their file, for weak ICL, or what `pick_demonstrations` returns; None is zero-shot.
        exclude_demos: Leave a demonstration out where its own question is asked.
        limit: Ask only this many questions, the first.
        shard: Ask only this part of them.
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

    if TYPE_CHECKING:  # what may be given is wider than what is kept

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
        for name, value in given.items():
            object.__setattr__(self, name, value)  # the class is frozen

    @cached_property
    def all_questions(self) -> list[Question]:
        """The questions of all shards.

        Raises:
            UserError: The file can't be read or there are none.
        """
        questions = read_questions(self.questions)[: self.limit]
        if not questions:
            raise UserError("holds no questions", file=self.questions)
        return questions

    @cached_property
    def shown(self) -> list[Demonstration]:
        """The demonstrations."""
        return [] if self.demonstrations is None else read_demonstrations(self.demonstrations)

    @property
    def inputs(self) -> list[RowSource]:
        """The files the prompts are built from: the questions, and the demonstrations where there are any."""
        return [self.questions, *([] if self.demonstrations is None else [self.demonstrations])]

    @cached_property
    def given_away(self) -> list[Id]:
        """The ids of questions that a demonstration answers."""
        return demonstrated(self.task, self.all_questions, self.shown)

    @cached_property
    def _prompts(self) -> list[tuple[Id, str]]:
        return [
            (question.id, prompt_of(self.task, question, self.shown, exclude_own=self.exclude_demos))
            for question in self.all_questions
        ]

    def requests(self, seed: Seed) -> list[Request]:
        """What one seed's run asks, in the order of the questions; this shard's part of it."""
        prompts = self.shard.take(self._prompts) if self.shard else self._prompts
        return [Request(question, seed, prompt) for question, prompt in prompts]

    def settings(self, engine: Mapping[str, Any], seed: Seed) -> dict[str, Any]:
        """What decides the responses of one seed's run; it is continued only if all of it is the same."""
        return {
            "task": self.task.name,
            "questions": _hash([[question.id, question.text] for question in self.all_questions]),
            "demonstrations": _hash([[one["prompt"], one["response"]] for one in self.shown]),
            "prompts": _hash(self._prompts),
            "shard": str(self.shard) if self.shard else None,
            "engine": self.engine,
            **engine,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_tokens": self.sampling.max_tokens,
            "stop": list(self.sampling.stop),
            "seed": seed if self.sampling.temperature > 0 else None,
        }


_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "model": ("a Model, or a model's folder or name", (Model, str, Path)),
    "output_dir": ("a folder", (str, Path)),
    "sampling": ("a Sampling", (Sampling,)),
    "engine": ("the name of an engine", (str,)),
    "engine_options": ("options by name", (Mapping,)),
    "exclude_demos": ("True or False", (bool,)),
    "shard": ('a Shard, text such as "2/4", or None', (Shard, str, NoneType)),
}
"""The fields whose types alone are checked here, each with what it may be."""


def _checked_seeds(seeds: Any) -> tuple[Seed, ...]:
    """Return the seeds of a run as a tuple.

    Raises:
        UserError: There are none, one is out of range, or one comes twice: both would write one folder.
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


def published_sampling(task: Task, temperature: Temperature = 0.0) -> Sampling:
    """The release's settings for a task: its token limit and stop texts, top_p 1."""
    return Sampling(temperature=temperature, max_tokens=task.max_tokens, stop=task.stop)


def _hash(items: list[Any]) -> str:
    return f"{len(items)}, sha256:{hashlib.sha256(json.dumps(items).encode()).hexdigest()}"
