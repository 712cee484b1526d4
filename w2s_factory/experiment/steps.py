"""Steps of a plan: commands that read and write files; and the paths of one repetition's files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from w2s_factory.llamafactory.dataset_info import RELEASE_DATA

if TYPE_CHECKING:
    from w2s_factory.experiment.spec import Kind, Need
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class Tree:
    """Paths below the run's folder.

    Attributes:
        task: Names its folders and files.
        root: The repetition's folder (`seed0`).
    """

    task: Task
    root: str

    def test_set(self, split: str) -> str:
        """What the release calls a split in file names: `gsm8k` (the test split), `gsm8k_train_2`."""
        return self.task.folder if split == "test" else f"{self.task.folder}_{split}"

    def golds(self, split: str) -> str:
        """A split in the test form."""
        return f"{self.root}/data/test/{self.test_set(split)}.jsonl"

    def dataset(self, stem: str) -> str:
        """A dataset's file."""
        return f"{self.root}/{RELEASE_DATA}/{self.task.folder}/{stem}.json"

    def config(self, name: str) -> str:
        """A training's YAML."""
        return f"{self.root}/configs/{name}.yaml"

    def model(self, name: str) -> str:
        """The folder of what a training made."""
        return f"{self.root}/models/{name}"

    def answers(self, split: str, name: str, *, few_shot: bool = False) -> str:
        """The folder of a model's answers to a split."""
        shot = "few-shot" if few_shot else "zero-shot"
        template = shot.replace("-", "_")
        return f"{self.root}/outputs/{self.test_set(split)}/{template}/{name}/{shot}/direct"


OURS: Final = "w2s-factory"
"""The first word of a command of ours; the interpreter that runs it depends on the step's kind."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One job of the workflow. Its paths are relative to the run's folder, or else absolute.

    Attributes:
        name: Unique in the plan (`seed0/train_iter1_hybrid`).
        kind: What sort of step it is.
        seed: Of the repetition it belongs to.
        reads: Files it depends on. A folder stands for what lies in it.
        writes: Files that are there, whole, when it is done.
        commands: What it runs, in order, word by word.
        need: What a machine must have for it.
    """

    name: str
    kind: Kind
    seed: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    need: Need

    @property
    def rule(self) -> str:
        """The name of its rule."""
        return self.name.replace("/", "_").replace("-", "_").replace(".", "_")

    @property
    def log(self) -> str:
        """Where what it prints goes."""
        return f"logs/{self.name}.log"

    @property
    def benchmark(self) -> str:
        """Where its time goes."""
        return f"benchmarks/{self.name}.tsv"

    def lines(self) -> list[str]:
        """Its commands as typed."""
        return [shlex.join(command) for command in self.commands]


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """A model that answers questions.

    Attributes:
        role: What step names call it (`iter1_hybrid`).
        name: Of the folders of its weights and answers.
        model: A folder or hub name.
        adapter: An adapter on it.
        made: Files that are there once it is trained.
    """

    role: str
    name: str
    model: str
    adapter: str | None = None
    made: tuple[str, ...] = field(default=())

    @property
    def reads(self) -> tuple[str, ...]:
        """The files it depends on: what its training left, or the folders it lies in."""
        outside = [name for name in (self.model, self.adapter) if name and name.startswith("/")]
        return (*outside, *self.made)
