"""All results of a run, and the paper's numbers where it has them, computed once for the whole report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.experiment.report.comparisons import changes, comparisons
from w2s_factory.experiment.report.folder import artefacts
from w2s_factory.experiment.report.models import groups, models_of
from w2s_factory.experiment.report.stage_results import headrooms, iterations, preferences
from w2s_factory.experiment.report.training_curves import times, trainings
from w2s_factory.experiment.report.unfinished import unfinished
from w2s_factory.published import is_published
from w2s_factory.scoring.evaluate import paper_rows

if TYPE_CHECKING:
    from typing import Any

    from w2s_factory.experiment.report.comparisons import Changes, ModelComparison
    from w2s_factory.experiment.report.folder import Absent, Artefact, Run
    from w2s_factory.experiment.report.models import Group, ReportedModel
    from w2s_factory.experiment.report.stage_results import Iteration, MeasuredHeadroom, Preferences
    from w2s_factory.experiment.report.training_curves import Timed, TrainingCurves
    from w2s_factory.experiment.report.unfinished import Unfinished
    from w2s_factory.experiment.run_contents import Contents


@dataclass(frozen=True)
class Findings:
    """The results of a run; each part is empty if its files do not exist."""

    contents: Contents
    absent: list[Absent]
    models: list[ReportedModel]
    unfinished: list[Unfinished]
    compared: list[ModelComparison]
    stage1: list[Iteration]
    stage2: list[Preferences]
    headrooms: list[MeasuredHeadroom]
    groups: list[Group]
    changes: Changes | None
    trainings: list[TrainingCurves]
    timed: list[Timed]
    artefacts: list[Artefact]
    paper: list[dict[str, Any]]


def find_out(run: Run) -> Findings:
    """Compute all results of a run.

    Raises:
        UserError: A file exists and cannot be used.
    """
    contents, models = run.contents, models_of(run)
    in_paper = is_published(contents.task, contents.weak_name)
    return Findings(
        contents=contents,
        absent=run.absent(),
        models=models,
        unfinished=unfinished(run),
        compared=comparisons(models),
        stage1=iterations(run),
        stage2=preferences(run),
        headrooms=headrooms(run),
        groups=groups(run, models),
        changes=changes(run, models),
        trainings=trainings(run),
        timed=times(run),
        artefacts=artefacts(run.folder),
        paper=paper_rows(contents.task, contents.weak_name) if in_paper else [],
    )
