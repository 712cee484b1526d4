"""Steps of a plan, the paths of one repetition's files, and the draft that collects a repetition's steps.

The stages add their steps to a `Draft`; `plan.py` puts the drafts of all repetitions together.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.dataset_info import RELEASE_DATA

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from w2s_factory.experiment.resources import Kind, Need
    from w2s_factory.experiment.run_contents import Agreed, Evaluated, Preferred
    from w2s_factory.experiment.spec import Experiment, Of
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class Tree:
    """The paths of one repetition's files, relative to the run's folder.

    Attributes:
        task: The task, which gives folders and files their names.
        root: The repetition's folder (`seed0`).
    """

    task: Task
    root: str

    @classmethod
    def of(cls, task: Task, seed: int) -> Tree:
        """Return the paths of a repetition."""
        return cls(task, f"seed{seed}")

    def test_set(self, split: str) -> str:
        """Return the release's name of a split in file names: `gsm8k` (the test split), `gsm8k_train_2`."""
        return self.task.folder if split == "test" else f"{self.task.folder}_{split}"

    def golds(self, split: str) -> str:
        """Return the file of a split's questions and golds, in the test form."""
        return f"{self.root}/data/test/{self.test_set(split)}.jsonl"

    def dataset(self, stem: str) -> str:
        """Return a dataset's file."""
        return f"{self.root}/{RELEASE_DATA}/{self.task.folder}/{stem}.json"

    def config(self, name: str) -> str:
        """Return the YAML file of a training."""
        return f"{self.root}/configs/{name}.yaml"

    def model(self, name: str) -> str:
        """Return the folder to which a training writes its model."""
        return f"{self.root}/models/{name}"

    def answers(self, split: str, name: str, *, few_shot: bool = False) -> str:
        """Return the folder of a model's answers to a split."""
        shot = "few-shot" if few_shot else "zero-shot"
        template = shot.replace("-", "_")
        return f"{self.root}/outputs/{self.test_set(split)}/{template}/{name}/{shot}/direct"


OURS: Final = "w2s-factory"
"""The first word of this package's own commands; the step's kind decides which interpreter runs them."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One job of the workflow. Its paths are relative to the run's folder, or else absolute.

    Attributes:
        name: Its name, unique in the plan (`seed0/train_iter1_hybrid`).
        kind: The kind of step, which decides its resources and its interpreter.
        seed: The seed of the repetition it belongs to.
        reads: The files it depends on. A folder stands for the files in it.
        writes: The files it writes; all are complete when the step is done.
        commands: The commands it runs, in order, each as a tuple of words.
        need: The resources it needs.
        uncompared: Successive words of a command that decide nothing it writes: if they alone change, the
            step is not repeated.
        first: Whether it comes before others that could start at the same time.
    """

    name: str
    kind: Kind
    seed: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    need: Need
    uncompared: tuple[str, ...] = ()
    first: bool = False

    @property
    def rule(self) -> str:
        """Return the name of its Snakemake rule."""
        return self.name.replace("/", "_").replace("-", "_").replace(".", "_")

    @property
    def log(self) -> str:
        """Return the file to which its output is written."""
        return f"logs/{self.name}.log"

    @property
    def benchmark(self) -> str:
        """Return the file to which Snakemake writes its duration."""
        return f"benchmarks/{self.name}.tsv"

    def lines(self) -> list[str]:
        """Return its commands as lines for a shell."""
        return [shlex.join(command) for command in self.commands]

    @property
    def compared(self) -> str:
        """Return the text by whose change the step is repeated: its lines, without those words."""
        text = "\n".join(self.lines())
        return text.replace(f" {shlex.join(self.uncompared)}", "") if self.uncompared else text


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """A model that answers questions.

    Attributes:
        role: The model's name in the names of steps (`iter1_hybrid`).
        name: The name of the folders of its weights and answers.
        model: A folder or a name on the hub.
        adapter: An adapter on the model; None if there is none.
        made: Files that exist once it is trained.
        of: The model from which it comes: the weak one or the strong one.
    """

    role: str
    name: str
    model: str
    adapter: str | None = None
    made: tuple[str, ...] = field(default=())
    of: Of = "strong"

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the files it depends on: those its training wrote, and folders outside the run."""
        outside = [name for name in (self.model, self.adapter) if name and name.startswith("/")]
        return (*outside, *self.made)


MOST_FILES: Final = 20_000
"""The most files a plan may write, some fifty times those of a paper's experiment. More take long to plan."""


@dataclass
class Draft:
    """One repetition of an experiment while it is planned: what it is built from, and its steps so far.

    Attributes:
        experiment: The experiment.
        task: Its task.
        seed: The repetition's seed; 0 is as published.
        tree: The paths of its files.
        steps: The steps so far, each after those it depends on.
        models: The models evaluated so far.
        stage1: The iterations of Stage I so far.
        stage2: Stage II; empty until it is planned.
        files: The number of files the plan writes so far, including those of earlier repetitions.
        allow_other_template: Whether to train with a template that differs from what generation will ask.
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
    allow_other_template: bool = False

    def add(
        self,
        name: str,
        kind: Kind,
        *commands: Sequence[str],
        reads: Iterable[str] = (),
        writes: Collection[str],
        uncompared: Sequence[str] = (),
    ) -> None:
        """Add a step that runs commands of this package, given without their first word (`w2s-factory`).

        Raises:
            UserError: The plan becomes too large.
        """
        self.files += len(writes)
        reads_task = self.task.file and any("--task" in command for command in commands)
        defined = [str(self.task.file)] if reads_task else []  # an edit of it repeats the step
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
                reads=tuple(dict.fromkeys([*reads, *defined])),
                writes=tuple(writes),
                commands=tuple((OURS, *command) for command in commands),
                need=self.experiment.resources.of(kind),
                uncompared=tuple(uncompared),
            )
        )

    @property
    def weak_stem(self) -> str:
        """Return the start of the names of files that depend on the weak model: `train_gsm8k_llama2_7b_`."""
        return self.task.file_stem(self.experiment.weak.name, "")
