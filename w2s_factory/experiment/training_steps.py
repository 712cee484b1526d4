"""Steps that train a model, or merge an adapter into one, through LLaMA-Factory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.experiment.steps import Answerer
from w2s_factory.llamafactory.presets import FOLDER
from w2s_factory.llamafactory.settings import as_yaml
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.experiment.draft import Draft
    from w2s_factory.experiment.training_arguments import TrainingSection

SEED = 42
"""LLaMA-Factory's default seed, repetition 0's."""

NOTED = "manifest.jsonl"
"""Written when the weights are there and checked; holds their hashes, so it differs where they do."""


def fit(  # noqa: PLR0913  each is a thing to say of a training
    draft: Draft,
    role: str,
    name: str,
    training: TrainingSection,
    start: Answerer,
    dataset: str,
    file: str,
    *,
    dataset_dir: str | None = None,
    options: Sequence[str] = (),
    goes_on: bool = False,
) -> Answerer:
    """Add the step that trains a model on a dataset.

    Args:
        draft: Where to.
        role: What step names call the trained model.
        name: Of the folders of its weights and answers.
        training: How.
        start: What is trained.
        dataset: Its name in the index.
        file: Its file.
        dataset_dir: The folder of the index; the tree's root if None.
        options: Further options of `make-config`.
        goes_on: Train the adapter of `start` on, where else it would have to be merged before.
    """
    folder, config = draft.tree.model(name), draft.tree.config(name)
    settings = {"seed": SEED + draft.seed, **training.overrides}
    if "deepspeed" in settings:
        settings["deepspeed"] = _beside_presets(settings["deepspeed"])
    adapter = ["--adapter", start.adapter] if goes_on and start.adapter else []
    make = ["make-config", "--preset", training.preset, "--model", start.model, *adapter]
    make += ["--dataset", dataset, "--dataset-dir", dataset_dir or draft.tree.root, "--output-dir", folder]
    make += ["--output", config, "--force", *_version(draft), *_set(settings), *options]
    make += ["--cpu"] if draft.experiment.llamafactory.cpu else []
    train = ["train", config, "--force", *_python(draft)]
    written = f"{folder}/{NOTED}"
    reads = [file, *training.files, *start.reads]
    draft.add(f"train_{role}", "train", make, train, reads=reads, writes=[written])
    if training.makes == "adapter":
        made = (*start.made, written)
        return Answerer(role=role, name=name, model=start.model, adapter=folder, made=made)
    return Answerer(role=role, name=name, model=folder, made=(written,))


def merge(draft: Draft, name: str, trained: Answerer) -> Answerer:
    """Add the step that merges a model's adapter; a model without one is merged already."""
    if trained.adapter is None:
        return trained
    folder, config = draft.tree.model(name), draft.tree.config(name)
    make = ["make-config", "--preset", "export", "--model", trained.model]
    make += ["--adapter", trained.adapter, "--output-dir", folder, "--output", config, "--force"]
    make += _version(draft)
    merged = ["export", config, "--force", *_python(draft)]
    written = f"{folder}/{NOTED}"
    draft.add(f"merge_{name}", "export", make, merged, reads=trained.reads, writes=[written])
    return Answerer(role=name, name=name, model=folder, made=(written,))


def _beside_presets(name: str) -> str:
    """A DeepSpeed file: a bare name is one that lies beside the presets (`ds_z3.json`)."""
    file = shipped(FOLDER, name)
    return str(file) if "/" not in name and file.is_file() else name


def _python(draft: Draft) -> list[str]:
    python = draft.experiment.environments.train
    return ["--python", python] if python else []


def _version(draft: Draft) -> list[str]:
    version = draft.experiment.llamafactory.version
    return ["--llamafactory-version", version] if version else []


def _set(settings: Mapping[str, Any]) -> list[str]:
    return [word for key, value in settings.items() for word in ("--set", f"{key}={as_yaml(value)}")]
