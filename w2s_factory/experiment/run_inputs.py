"""The files of a run that `build-data` reads by default when it is called in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.building import Inputs
from w2s_factory.errors import UserError
from w2s_factory.experiment.load import read_experiment
from w2s_factory.experiment.report.folder import open_run
from w2s_factory.experiment.run_folder import EXPERIMENT
from w2s_factory.experiment.stages import raw_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.experiment.run_contents import Contents
    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.records import RowSource


def inputs_of_run(folder: str | Path, stage: str, iteration: int = 1) -> Inputs:
    """Return the files that a stage reads in a run's first repetition; they need not exist yet.

    Args:
        folder: The run's folder.
        stage: The stage, by the name it has in `build-data --stage`.
        iteration: The iteration of Stage I.

    Raises:
        UserError: The folder is not that of a run, or its experiment has no such stage.
    """
    folder = Path(folder)
    experiment = read_experiment(folder / EXPERIMENT, models_there=False)
    contents = open_run(folder).contents
    return Inputs(
        task=experiment.the_task,
        files=_files(experiment, contents, folder, stage, iteration),
        weak_name=contents.weak_name,
        model=contents.strong_model if stage in ("full-weak", "1") else None,
        preset=experiment.strong_training.preset if stage in ("full-weak", "1") else None,
        experiment=contents.name,
    )


def _files(
    experiment: Experiment, contents: Contents, folder: Path, stage: str, iteration: int
) -> Mapping[str, RowSource]:
    if stage in ("gold", "test"):
        split = "train_1" if stage == "gold" else contents.split
        own = experiment.the_task.own_rows(split)
        return {"input": folder / raw_files(experiment, split)[0] if own is None else own}
    if stage == "full-weak":
        return {"input": folder / contents.stage1[0].weak}
    if stage in ("2", "self"):
        found = [{"weak": files.weak, "votes": files.votes} for files in contents.stage2]
    else:
        agreed = [files for files in contents.stage1 if files.iteration == iteration]
        found = [{"weak": files.weak, "icl": files.icl} for files in agreed]
    if not found:
        what = "Stage II" if stage in ("2", "self") else f"iteration {iteration}"
        raise UserError(f"the experiment {contents.name} has no {what}")
    return {name: folder / path for name, path in found[0].items()}
