"""What a plan is made of: steps that read and write files by running commands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from w2s_factory.experiment.machines import Kind, Need

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
