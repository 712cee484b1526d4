"""The check before the first step: whether the packages that the steps need are installed."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.answers.comparison import need_math_verify
from w2s_factory.errors import UserError
from w2s_factory.generating.engines import check_installed, default_engine
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.preflight import tracker_problem
from w2s_factory.llamafactory.trackers import REPORT_TO
from w2s_factory.packages import extra_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.experiment.steps import Step
    from w2s_factory.experiment.training_arguments import TrainingSection
    from w2s_factory.llamafactory.installation import Installation


def check_packages(
    plan: Plan, trainings: Iterable[tuple[str, TrainingSection, str]], file: object, folder: Path
) -> None:
    """Refuse to begin a run on this machine if a step would fail because a package is missing.

    Only steps that are not complete count. An interpreter that is not on this machine is not asked. The
    trackers are looked for where `train` will look: in the environment of the LLaMA-Factory that it starts.

    Args:
        plan: The plan.
        trainings: The experiment's trainings, each with its section before it and its stage after it.
        file: The experiment file, as the user named it.
        folder: The run's folder.

    Raises:
        UserError: A package is missing; names the field that asks for it, if any, and the command that
            installs it.
    """
    left = [step for step in plan.steps if any(not (folder / file).exists() for file in step.writes)]
    kinds, environments = {step.kind for step in left}, plan.experiment.environments
    if kinds & {"train", "export"} and (environments.train is None or Path(environments.train).exists()):
        python = _llamafactory(environments.train, file).python
        _check_trackers(plan.experiment, trainings, python, file)
    if environments.generate is None:
        for engine in _engines(left):
            with _placed(file, _section_of(engine, plan.experiment)):
                check_installed(engine)
    if kinds & {"score", "vote"} and plan.experiment.scoring.mode == "math-verify":
        with _placed(file, "scoring.mode"):
            need_math_verify()


@contextmanager
def _placed(file: object, field: str | None) -> Iterator[None]:
    """Add the experiment file and a field of it to an error that names no file."""
    try:
        yield
    except UserError as error:
        raise UserError(error.problem, file=file, field=field, hint=error.hint, topic=error.topic) from None


def _section_of(engine: str, experiment: Experiment) -> str | None:
    """Return the field that asks for an engine; None for the default one."""
    sections = {
        "generation": experiment.generation,
        "weak.generation": experiment.weak.generation,
        "strong.generation": experiment.strong.generation,
    }
    asks = (name for name, section in sections.items() if section is not None and section.engine == engine)
    return next((f"{name}.engine" for name in asks), None)


def _llamafactory(python: str | None, file: object) -> Installation:
    """Return the LLaMA-Factory that `train` will start; refuse an environment without one."""
    try:
        return find_installation(python=python)
    except UserError as error:
        if python is not None:
            raise UserError(error.problem, file=file, field="environments.train") from None
        hint = "Name another one (environments: {train: PYTHON}), or install the extra train: "
        hint += extra_command("train")
        raise UserError(error.problem, file=file, hint=hint) from None


def _check_trackers(
    experiment: Experiment,
    trainings: Iterable[tuple[str, TrainingSection, str]],
    python: Path,
    file: object,
) -> None:
    """Refuse a tracker that the trainings' environment lacks."""
    for section, training, _ in trainings:
        named = training.reports_to(experiment.report_to)
        wrong = tracker_problem({**training.values, REPORT_TO: named}, python)
        if wrong is not None:
            problem, command = wrong
            field = REPORT_TO if experiment.report_to is not None else f"{section}.preset"
            field = f"{section}.overrides.{REPORT_TO}" if REPORT_TO in training.overrides else field
            raise UserError(problem, file=file, field=field, hint=f"Install it: {command}")


def _engines(steps: Sequence[Step]) -> list[str]:
    """Return the engines with which steps generate, each once."""
    named = [
        command[command.index("--engine") + 1] if "--engine" in command else default_engine()
        for step in steps
        for command in step.commands
        if command[1] == "generate"
    ]
    return list(dict.fromkeys(named))
