"""All that is worked out of a run, once, for page, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.experiment.reporting.changes import changes
from w2s_factory.experiment.reporting.comparisons import comparisons
from w2s_factory.experiment.reporting.curves import trainings
from w2s_factory.experiment.reporting.manifests import artefacts
from w2s_factory.experiment.reporting.models import models_of
from w2s_factory.experiment.reporting.stage1 import iterations
from w2s_factory.experiment.reporting.stage2 import preferences
from w2s_factory.experiment.reporting.tags import groups
from w2s_factory.experiment.reporting.times import times
from w2s_factory.published import is_published
from w2s_factory.scoring.paper import paper_rows

if TYPE_CHECKING:
    from typing import Any

    from w2s_factory.experiment.contents import Contents
    from w2s_factory.experiment.reporting.changes import Changes
    from w2s_factory.experiment.reporting.comparisons import Comparison
    from w2s_factory.experiment.reporting.curves import Training
    from w2s_factory.experiment.reporting.manifests import Artefact
    from w2s_factory.experiment.reporting.models import Model
    from w2s_factory.experiment.reporting.runs import Absent, Run
    from w2s_factory.experiment.reporting.stage1 import Iteration
    from w2s_factory.experiment.reporting.stage2 import Preferences
    from w2s_factory.experiment.reporting.tags import Group
    from w2s_factory.experiment.reporting.times import Timed


@dataclass(frozen=True)
class Findings:
    """What a run's files say; each part is empty where its files are not there."""

    contents: Contents
    absent: list[Absent]
    models: list[Model]
    compared: list[Comparison]
    stage1: list[Iteration]
    stage2: list[Preferences]
    groups: list[Group]
    changes: Changes | None
    trainings: list[Training]
    timed: list[Timed]
    artefacts: list[Artefact]
    paper: list[dict[str, Any]]


def find_out(run: Run) -> Findings:
    """Work everything out.

    Raises:
        UserError: A file is there and can't be used.
    """
    contents, models = run.contents, models_of(run)
    in_paper = is_published(contents.task, contents.weak_name)
    return Findings(
        contents=contents,
        absent=run.absent(),
        models=models,
        compared=comparisons(models),
        stage1=iterations(run),
        stage2=preferences(run),
        groups=groups(run, models),
        changes=changes(run, models),
        trainings=trainings(run),
        timed=times(run),
        artefacts=artefacts(run.folder),
        paper=paper_rows(contents.task, contents.weak_name) if in_paper else [],
    )
