"""The steps that need no model: splits in the test form, and gold solutions to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.building.placing import dataset_name

if TYPE_CHECKING:
    from w2s_factory.experiment.draft import Draft
    from w2s_factory.experiment.spec import Experiment


def plan_golds(draft: Draft) -> None:
    """Add the splits that are asked, with their golds: what is compared on, and `train_2`."""
    for split in dict.fromkeys([draft.experiment.split, "train_2"]):
        raw, golds = raw_file(draft.experiment, split), draft.tree.golds(split)
        command = ["build-data", "--stage", "test", "--task", draft.task.name, "--input", raw]
        command += ["--split", split, "--output", golds, "--force"]
        draft.add(f"golds_{split}", "data", command, reads=[raw], writes=[golds])


def gold_set(draft: Draft, split: str) -> tuple[str, str]:
    """Add the gold solutions of a split as a dataset: its name and file."""
    stem = f"{draft.task.name}_{split}"
    raw, file = raw_file(draft.experiment, split), draft.tree.dataset(stem)
    command = ["build-data", "--stage", "gold", "--task", draft.task.name, "--input", raw]
    command += ["--layout", "release", "--output", file, "--no-config", "--force"]
    draft.add(f"gold_{split}", "data", command, reads=[raw], writes=[file])
    return dataset_name(stem, draft.task), file


def raw_file(experiment: Experiment, split: str) -> str:
    """The raw rows: the task's own, or below the release's root (by default the folder `release`)."""
    task = experiment.the_task
    root = str(task.root) if task.root else experiment.release or "release"
    return f"{root}/{task.split(split).raw}"
