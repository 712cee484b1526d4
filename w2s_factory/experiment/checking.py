"""Looking at what a run will do before it begins: a wrong argument is found now, not after hours."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.experiment.training import Training
from w2s_factory.generating.engines import engine_names
from w2s_factory.llamafactory.configs import make_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.experiment.planning import Plan
    from w2s_factory.experiment.spec import Experiment


def check_trainings(experiment: Experiment) -> None:
    """Check that each training's preset and overrides go with the LLaMA-Factory they are for.

    Raises:
        UserError: One does not; `field` says which, as it stands in the file.
    """
    for section, training, stage in _trainings(experiment):
        _check_stage(section, training, stage)
        try:
            make_config(
                training.preset,
                model="model",
                output_dir="output",
                dataset="dataset",
                dataset_dir="data",
                version=experiment.llamafactory.version,
                settings=training.overrides,
                ahead=True,
            )
        except UserError as error:
            if error.file is not None:  # a preset of the user's own
                raise
            argument = f".overrides.{error.field}" if error.field else ""
            raise UserError(error.problem, field=f"{section}{argument}", hint=error.hint) from None


def check_engine(experiment: Experiment) -> None:
    """Check the engine's name; what is installed in another environment is not known here.

    Raises:
        UserError: There is no such engine.
    """
    engine, known = experiment.generation.engine, engine_names()
    if engine is not None and engine not in known and experiment.environments.generate is None:
        raise UserError(f'no engine "{engine}"', field="generation.engine", hint=_meant(engine, known))


def check_named_models(plan: Plan) -> None:
    """Check that the models to be sampled for pass@k are ones the run has.

    Raises:
        UserError: One is not.
    """
    pass_at = plan.experiment.evaluation.pass_at
    known = list(dict.fromkeys(model.key for model in plan.contents.models))
    for name in (pass_at and pass_at.models) or ():
        if name not in known:
            raise UserError(
                f'this run has no model "{name}"', field="evaluation.pass_at.models", hint=_meant(name, known)
            )


def _meant(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f'Did you mean "{near[0]}"?' if near else f"Known here: {', '.join(known)}"


def _check_stage(section: str, training: Training, stage: str) -> None:
    """A preset of another stage would train on data it can't read; a seed would make repetitions alike."""
    if training.value("stage") != stage:
        raise UserError(
            f"the preset {training.preset} is for the stage {training.value('stage')}, here is {stage}",
            field=f"{section}.preset",
        )
    if "seed" in training.overrides:
        raise UserError(
            "each repetition has its own", field=f"{section}.overrides.seed", hint="Name them in `seeds`"
        )


def _trainings(experiment: Experiment) -> Iterator[tuple[str, Training, str]]:
    """Each training with the section it is described in, and its stage."""
    if experiment.weak.train is not None:
        yield "weak.train", experiment.weak.train, "sft"
    yield "strong", experiment.strong_training, "sft"
    if experiment.stage2 is None:
        return
    methods = experiment.stage2.methods
    for name, method in methods.preference.items():
        section = f"stage2.methods.{name}"
        yield section, Training(preset=method.preset or name, overrides=method.overrides), "dpo"
    if methods.sft_chosen is not None:
        preset = methods.sft_chosen.preset or experiment.strong_training.preset
        training = Training(preset=preset, overrides=methods.sft_chosen.overrides)
        yield "stage2.methods.sft_chosen", training, "sft"
