"""The check before the first step: whether the packages that the steps need are installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.answers.comparison import need_math_verify
from w2s_factory.errors import UserError
from w2s_factory.generating.engines import check_installed, default_engine
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.trackers import REPORT_TO, missing_tracker, trackers
from w2s_factory.packages import constrained_install, extra_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.experiment.steps import Step
    from w2s_factory.experiment.training_arguments import TrainingSection


def check_packages(
    plan: Plan, trainings: Iterable[tuple[str, TrainingSection, str]], file: object, folder: Path
) -> None:
    """Refuse to begin a run on this machine if a step would end for want of a package.

    Only steps that are not complete count. An interpreter that is not on this machine is not asked.

    Args:
        plan: The plan.
        trainings: The experiment's trainings, each with its section before it and its stage after it.
        file: The experiment file, as the user named it.
        folder: The run's folder.

    Raises:
        UserError: A package is missing; names the extra or the package, with the command that installs it.
    """
    left = [step for step in plan.steps if any(not (folder / file).exists() for file in step.writes)]
    kinds, environments = {step.kind for step in left}, plan.experiment.environments
    python = environments.train or sys.executable
    if kinds & {"train", "export"} and Path(python).exists():
        _check_llamafactory(environments.train, file)
        _check_trackers(plan.experiment, trainings, python, file)
    if environments.generate is None:
        for engine in _engines(left):
            check_installed(engine)
    if kinds & {"score", "vote"} and plan.experiment.scoring.mode == "math-verify":
        need_math_verify()


def _check_llamafactory(python: str | None, file: object) -> None:
    """Refuse an environment without LLaMA-Factory."""
    try:
        find_installation(python=python)
    except UserError as error:
        if python is not None:
            raise UserError(error.problem, file=file, field="environments.train") from None
        hint = "Name another one (environments: {train: PYTHON}), or install the extra train: "
        hint += extra_command("train")
        raise UserError(error.problem, file=file, hint=hint) from None


def _check_trackers(
    experiment: Experiment,
    trainings: Iterable[tuple[str, TrainingSection, str]],
    python: str,
    file: object,
) -> None:
    """Refuse a tracker that the trainings' environment lacks."""
    for section, training, _ in trainings:
        own = training.overrides.get(REPORT_TO)
        named = experiment.report_to if own is None else own
        missing = missing_tracker(trackers(named), python)
        if missing is not None:
            field = REPORT_TO if own is None else f"{section}.overrides.{REPORT_TO}"
            name, package = missing
            problem = f"{name} needs the package {package}, which is not installed for {python}"
            hint = f"Install it: {constrained_install(python, package)}"
            raise UserError(problem, file=file, field=field, hint=hint)


def _engines(steps: Sequence[Step]) -> list[str]:
    """Return the engines with which steps generate, each once."""
    named = [
        command[command.index("--engine") + 1] if "--engine" in command else default_engine()
        for step in steps
        for command in step.commands
        if command[1] == "generate"
    ]
    return list(dict.fromkeys(named))
