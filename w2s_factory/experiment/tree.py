"""Where the files of one repetition lie: in the release's own tree, below `seed{n}/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.llamafactory.layouts import RELEASE_DATA

if TYPE_CHECKING:
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
