"""Steps in which LLaMA-Factory trains a model, or merges an adapter into its model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from w2s_factory.experiment.step_options import template_options, training_options
from w2s_factory.experiment.steps import Answerer
from w2s_factory.llamafactory.known_templates import AUTO, WITHOUT_CHAT
from w2s_factory.llamafactory.presets import FOLDER
from w2s_factory.llamafactory.settings import as_yaml
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.experiment.steps import Draft
    from w2s_factory.experiment.training_arguments import TrainingSection

SEED = 42
"""The training seed of repetition 0: LLaMA-Factory's default."""

NOTED = "manifest.jsonl"
"""The file by which later steps know that weights are complete: it holds their hashes."""


def fit(  # noqa: PLR0913  each describes the training
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
        draft: The draft to which the step is added.
        role: The trained model's name in the names of steps.
        name: The name of the folders of its weights and answers.
        training: The preset and the arguments that differ from it.
        start: The model that is trained.
        dataset: The dataset's name in the index.
        file: The dataset's file.
        dataset_dir: The folder of the index; the tree's root if None.
        options: Further options of `make-config`.
        goes_on: Continue to train the adapter of `start`, instead of a new one on a merged model.

    Returns:
        The trained model.
    """
    folder, config = draft.tree.model(name), draft.tree.config(name)
    every = draft.experiment.resume_training
    saves = {} if every is None else {"save_strategy": "steps", "save_steps": every}
    settings = {"seed": SEED + draft.seed, **saves, **training.overrides}
    if "deepspeed" in settings:
        settings["deepspeed"] = _deepspeed_file(settings["deepspeed"])
    adapter = ["--adapter", start.adapter] if goes_on and start.adapter else []
    make = ["make-config", "--preset", training.preset, "--model", start.model, *adapter]
    make += ["--dataset", dataset, "--dataset-dir", dataset_dir or draft.tree.root, "--output-dir", folder]
    tracked = _set(training.tracking(draft.experiment.report_to, f"{draft.tree.root}/train_{role}"))
    make += ["--output", config, "--force", *_version(draft), *_set(settings), *tracked, *options]
    make += ["--cpu"] if draft.experiment.llamafactory.cpu else []
    make += training_options(draft.experiment, start.of)
    make += _python(draft) if training.value("template") == AUTO else []
    train = ["train", config, "--force", *_python(draft), *template_options(draft.experiment, start.of)]
    train += [] if every is None else ["--resume"]
    allowed = draft.allow_other_template and training.value("template") not in (None, *WITHOUT_CHAT)
    train += ["--allow-other-template"] if allowed else []
    written = f"{folder}/{NOTED}"
    reads = [file, *training.files, *start.reads]
    draft.add(f"train_{role}", "train", make, train, reads=reads, writes=[written], uncompared=tracked)
    if training.makes == "adapter":
        made = (*start.made, written)
        return replace(start, role=role, name=name, adapter=folder, made=made)
    return Answerer(role=role, name=name, model=folder, made=(written,), of=start.of)


def merge(draft: Draft, name: str, trained: Answerer) -> Answerer:
    """Add the step that merges a model's adapter, and return the merged model; one without it as it is."""
    if trained.adapter is None:
        return trained
    folder, config = draft.tree.model(name), draft.tree.config(name)
    make = ["make-config", "--preset", "export", "--model", trained.model]
    make += ["--adapter", trained.adapter, "--output-dir", folder, "--output", config, "--force"]
    make += _version(draft)
    merged = ["export", config, "--force", *_python(draft)]
    written = f"{folder}/{NOTED}"
    draft.add(f"merge_{name}", "export", make, merged, reads=trained.reads, writes=[written])
    return Answerer(role=name, name=name, model=folder, made=(written,), of=trained.of)


def _deepspeed_file(name: str) -> str:
    """Return the path of a DeepSpeed file; a bare name (`ds_z3.json`) is in the folder of the presets."""
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
