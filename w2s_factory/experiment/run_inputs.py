"""Files of an experiment's run that `build-data` takes in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.building import Inputs
from w2s_factory.errors import UserError
from w2s_factory.experiment.load import read_experiment
from w2s_factory.experiment.report.folder import open_run
from w2s_factory.experiment.run_folder import EXPERIMENT
from w2s_factory.experiment.stages import raw_file

if TYPE_CHECKING:
    from w2s_factory.experiment.run_contents import Contents
    from w2s_factory.experiment.spec import Experiment


def inputs_of_run(folder: str | Path, stage: str, iteration: int = 1) -> Inputs:
    """The files a stage of a run reads, of its first repetition; they need not be there yet.

    Args:
        folder: The run's.
        stage: As `build-data` calls it.
        iteration: Of Stage I.

    Raises:
        UserError: The folder is not that of a run, or its experiment has no such stage.
    """
    folder = Path(folder)
    experiment = read_experiment(folder / EXPERIMENT, models_there=False)
    contents = open_run(folder).contents
    return Inputs(
        task=experiment.the_task,
        files={name: folder / path for name, path in _files(experiment, contents, stage, iteration).items()},
        weak_name=contents.weak_name,
        model=contents.strong_model if stage in ("full-weak", "1") else None,
        preset=experiment.strong_training.preset if stage in ("full-weak", "1") else None,
        experiment=contents.name,
    )


def _files(experiment: Experiment, contents: Contents, stage: str, iteration: int) -> dict[str, Path]:
    if stage in ("gold", "test"):
        split = "train_1" if stage == "gold" else contents.split
        return {"input": Path(raw_file(experiment, split))}
    if stage == "full-weak":
        return {"input": contents.stage1[0].weak}
    if stage == "2":
        found = [{"weak": two.weak, "votes": two.votes} for two in contents.stage2]
    else:
        found = [{"weak": one.weak, "icl": one.icl} for one in contents.stage1 if one.iteration == iteration]
    if not found:
        what = "Stage II" if stage == "2" else f"iteration {iteration}"
        raise UserError(f"the experiment {contents.name} has no {what}")
    return found[0]
