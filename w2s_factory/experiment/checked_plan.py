"""An experiment file as a plan whose trainings, engines, models and templates have been checked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from w2s_factory.building.shown_task import check_rows
from w2s_factory.errors import UserError, nearest_or_all
from w2s_factory.experiment.gpu_check import gpu_note
from w2s_factory.experiment.load import read_experiment
from w2s_factory.experiment.plan import plan
from w2s_factory.experiment.template_check import check_templates
from w2s_factory.generating.engines import engine_names
from w2s_factory.llamafactory.configs import make_config
from w2s_factory.llamafactory.known_templates import AUTO, VANILLA
from w2s_factory.llamafactory.presets import load_preset
from w2s_factory.processes import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from w2s_factory.experiment.answer_settings import ModelGeneration
    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.experiment.training_arguments import TrainingSection


def plan_experiment(
    file: str | Path,
    preset: str | None = None,
    *,
    force: bool = False,
    ahead: bool = True,
    tell: Callable[[str], None] = say,
) -> Plan:
    """Read an experiment file and plan it; models, GPUs and files of tasks need not be available.

    Args:
        file: The experiment file, or the name of an experiment that comes with the package.
        preset: The name of one of its presets.
        force: Warn of a training template that differs from what generation will ask, instead of refusing it.
        ahead: Accept that the tokenizer of a chat model is not available.
        tell: The function that gets warnings and notes.

    Raises:
        UserError: The file cannot be used; with the line, or the training argument that is unknown. Or rows
            of a task from a file cannot be used.
        DelegateError: Chat templates are to be compared, and LLaMA-Factory cannot be imported.
    """
    experiment = read_experiment(file, preset)
    try:
        check_trainings(experiment)
        check_engine(experiment)
        planned = plan(experiment, allow_other_template=force)
        check_named_models(planned)
        check_templates(experiment, trainings_of(experiment), force=force, ahead=ahead, tell=tell)
    except UserError as error:
        raise UserError(
            error.problem,
            file=error.file or file,
            line=error.line,
            field=error.field,
            hint=error.hint,
            topic=error.topic,
        ) from None
    task = experiment.the_task
    check_rows(task, [name for name in ("train_1", "train_2", experiment.split) if name in task.splits])
    return planned


def note_on_gpu(planned: Plan, file: object) -> str | None:
    """Return a note if a training needs a GPU and none seems to be here; see `gpu_check.gpu_note`."""
    return gpu_note(planned, trainings_of(planned.experiment), file)


def check_trainings(experiment: Experiment) -> None:
    """Check that each training's preset and overrides suit its stage and the version of LLaMA-Factory.

    Raises:
        UserError: One does not; `field` is its key in the experiment file.
    """
    for section, training, stage in trainings_of(experiment):
        _check_stage(section, training, stage)
        try:
            make_config(
                training.preset,
                model="model",
                output_dir="output",
                dataset="dataset",
                dataset_dir=f"{os.devnull}/data",  # a folder that cannot hold an index
                version=experiment.llamafactory.version,
                settings=_without_auto(training),
                ahead=True,
            )
        except UserError as error:
            if error.file is not None:  # a preset of the user's own
                raise
            argument = f".overrides.{error.field}" if error.field else ""
            field = f"{section}{argument}"
            raise UserError(error.problem, field=field, hint=error.hint, topic=error.topic) from None


def _without_auto(training: TrainingSection) -> dict[str, Any]:
    """Return a training's overrides with a template's name in place of `auto`, which needs the model."""
    overrides = dict(training.overrides)
    return overrides | ({"template": VANILLA} if training.value("template") == AUTO else {})


def check_engine(experiment: Experiment) -> None:
    """Check the engine's name; the engines of another environment cannot be known here.

    Raises:
        UserError: There is no engine of that name.
    """
    known = engine_names()
    sections: dict[str, ModelGeneration | None] = {
        "generation": experiment.generation,
        "weak.generation": experiment.weak.generation,
        "strong.generation": experiment.strong.generation,
    }
    for section, settings in sections.items() if experiment.environments.generate is None else ():
        engine = None if settings is None else settings.engine
        if engine is not None and engine not in known:
            hint = nearest_or_all(engine, known)
            raise UserError(f'no engine "{engine}"', field=f"{section}.engine", hint=hint)


def check_named_models(plan: Plan) -> None:
    """Check that the run has all models that are to be sampled for pass@k and avg@k.

    Raises:
        UserError: It does not have one of them.
    """
    known = list(dict.fromkeys(model.key for model in plan.contents.models))
    for measure, wanted in plan.experiment.evaluation:
        for name in (wanted and wanted.models) or ():
            if name not in known:
                field, hint = f"evaluation.{measure}.models", nearest_or_all(name, known)
                raise UserError(f'this run has no model "{name}"', field=field, hint=hint)


def _check_stage(section: str, training: TrainingSection, stage: str) -> None:
    """Refuse a preset of another stage or method, and a seed shared by all repetitions.

    A preset of another stage cannot read the data; one of another method would give its model a wrong name.
    """
    if training.value("stage") != stage:
        given = f"{training.preset} of the stage {training.value('stage')}"
        raise UserError(f"expected a preset of the stage {stage}, got {given}", field=f"{section}.preset")
    method, name = load_preset(training.preset).method or "dpo", section.rpartition(".")[2]
    if stage == "dpo" and method != name:
        given = f"{training.preset} of the method {method}"
        raise UserError(f"expected a preset of the method {name}, got {given}", field=f"{section}.preset")
    if "seed" in training.overrides:
        problem = "expected no seed here, since each repetition has its own"
        raise UserError(problem, field=f"{section}.overrides.seed", hint="List the repetitions in `seeds`")


def trainings_of(experiment: Experiment) -> Iterator[tuple[str, TrainingSection, str]]:
    """Yield each training with the section that describes it before it, and its stage after it."""
    if experiment.weak.train is not None:
        yield "weak.train", experiment.weak.train, "sft"
    yield "strong", experiment.strong_training, "sft"
    if experiment.stage2 is None:
        return
    methods = experiment.stage2.methods
    for name, method in methods.preference.items():
        section = f"stage2.methods.{name}"
        yield section, experiment.method_training(name, method), "dpo"
    if methods.sft_chosen is not None:
        yield "stage2.methods.sft_chosen", experiment.tuning(methods.sft_chosen), "sft"
    if methods.self_training is not None:
        yield "stage2.methods.self_training", experiment.tuning(methods.self_training), "sft"
