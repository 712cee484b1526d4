"""The check before the first step: whether a training needs a GPU, and whether this machine has one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.preflight import gpu_only, seems_without_gpu, sees_gpu, under_ray
from w2s_factory.llamafactory.presets import load_preset
from w2s_factory.llamafactory.settings import on_cpu

if TYPE_CHECKING:
    from collections.abc import Iterable

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.training_arguments import TrainingSection


def gpu_note(plan: Plan, trainings: Iterable[tuple[str, TrainingSection, str]], file: object) -> str | None:
    """Return a note if a training needs a GPU and none seems to be here; torch is not asked.

    Args:
        plan: The plan.
        trainings: The experiment's trainings, each with its section before it and its stage after it.
        file: The experiment file, as the user named it.
    """
    return _problem(plan, trainings, file) if seems_without_gpu() else None


def check_gpu(
    plan: Plan, trainings: Iterable[tuple[str, TrainingSection, str]], file: object, folder: Path
) -> None:
    """Refuse to begin a run on this machine if a training needs a GPU that it does not have.

    A run whose trainings are finished is not refused, nor one whose training environment is not here.

    Args:
        plan: The plan.
        trainings: The experiment's trainings, as `gpu_note` takes them.
        file: The experiment file, as the user named it.
        folder: The run's folder.

    Raises:
        UserError: There is no GPU; names the training and the remedy. Or there is no LLaMA-Factory.
        DelegateError: torch cannot be imported in the training environment.
    """
    problem = _problem(plan, trainings, file)
    python = plan.experiment.environments.train
    written = (folder / name for step in plan.steps if step.kind == "train" for name in step.writes)
    unfinished = not all(weights.exists() for weights in written)
    here = python is None or Path(python).exists()
    if problem and unfinished and here and not sees_gpu(find_installation(python=python).python):
        raise UserError(problem, topic="no-gpu")


def _problem(plan: Plan, trainings: Iterable[tuple[str, TrainingSection, str]], file: object) -> str | None:
    """Return the sentence on the first training that needs a GPU; None if none does."""
    without_gpu = plan.experiment.llamafactory.cpu
    for section, training, _ in trainings:
        preset = load_preset(training.preset)
        values = training.values
        if without_gpu:
            values |= on_cpu(preset, training.overrides) | training.overrides
        key = gpu_only(values)
        if key is None or under_ray(values, os.environ):
            continue
        if without_gpu:
            return f"no GPU here, and {section} trains with {key}: use another preset or override in {file}"
        way = "in bf16" if key == "bf16" else f"with {key}"
        return f"no GPU here, and {section} trains {way}: set llamafactory: {{cpu: true}} in {file}"
    return None
