"""One repetition of the experiment in the making: what it is of, and the steps found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import UserError
from w2s_factory.experiment.steps import OURS, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from w2s_factory.experiment.run_contents import Agreed, Evaluated, Preferred
    from w2s_factory.experiment.spec import Experiment, Kind
    from w2s_factory.experiment.steps import Tree
    from w2s_factory.tasks import Task


MOST_FILES: Final = 20_000
"""Files a plan may write, some fifty times those of a paper's experiment. More take long to plan."""


@dataclass
class Draft:
    """What the parts of the plan add their steps to.

    Attributes:
        experiment: What is planned.
        task: Its task.
        seed: Of the repetition; 0 is as published.
        tree: Where its files go.
        steps: The steps so far, each after those it depends on.
        models: The models evaluated so far.
        stage1: The iterations of Stage I so far.
        stage2: Stage II, once it is planned.
        files: How many files the plan writes so far, earlier repetitions included.
    """

    experiment: Experiment
    task: Task
    seed: int
    tree: Tree
    steps: list[Step] = field(default_factory=list)
    models: list[Evaluated] = field(default_factory=list)
    stage1: list[Agreed] = field(default_factory=list)
    stage2: list[Preferred] = field(default_factory=list)
    files: int = 0

    def add(
        self,
        name: str,
        kind: Kind,
        *commands: Sequence[str],
        reads: Iterable[str] = (),
        writes: Collection[str],
    ) -> None:
        """Add a step; the commands are ours, without the first word.

        Raises:
            UserError: The plan becomes too large.
        """
        self.files += len(writes)
        if self.files > MOST_FILES:
            raise UserError(
                f"expected a plan of at most {MOST_FILES:,} files, got a larger one",
                hint="Lower seeds, iterations, shards or samples",
            )
        self.steps.append(
            Step(
                name=f"{self.tree.root}/{name}",
                kind=kind,
                seed=self.seed,
                reads=tuple(dict.fromkeys(reads)),
                writes=tuple(writes),
                commands=tuple((OURS, *command) for command in commands),
                need=self.experiment.resources.of(kind),
            )
        )

    @property
    def weak_stem(self) -> str:
        """How files made with the weak model's help begin: `train_gsm8k_llama2_7b_`."""
        return self.task.file_stem(self.experiment.weak.name, "")
