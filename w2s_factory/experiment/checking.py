"""Looking at every training before the first begins: a wrong argument is found now, not after hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.experiment.training import Training
from w2s_factory.llamafactory.configs import make_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.experiment.spec import Experiment


def check_trainings(experiment: Experiment) -> None:
    """Check that each training's preset and overrides go with the LLaMA-Factory they are for.

    Raises:
        UserError: One does not; `field` says which, as it stands in the file.
    """
    for section, training in _trainings(experiment):
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
            argument = f".overrides.{error.field}" if error.field else ""
            raise UserError(error.problem, field=f"{section}{argument}", hint=error.hint) from None


def _trainings(experiment: Experiment) -> Iterator[tuple[str, Training]]:
    """Each training with the section it is described in."""
    if experiment.weak.train is not None:
        yield "weak.train", experiment.weak.train
    yield "strong", experiment.strong_training
    if experiment.stage2 is None:
        return
    methods = experiment.stage2.methods
    for name, method in methods.preference.items():
        section = f"stage2.methods.{name}"
        yield section, Training(preset=method.preset or name, overrides=method.overrides)
    if methods.sft_chosen is not None:
        preset = methods.sft_chosen.preset or experiment.strong_training.preset
        yield "stage2.methods.sft_chosen", Training(preset=preset, overrides=methods.sft_chosen.overrides)
