"""All figures of a report, drawn where the run has the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.experiment.report.figures.accuracy import accuracy_figure, iterations_figure, tag_figure
from w2s_factory.experiment.report.figures.stage_data import (
    agreement_figure,
    confidence_figure,
    purity_figure,
)
from w2s_factory.experiment.report.figures.training import (
    loss_figure,
    movement_figure,
    preference_figure,
    times_figure,
)
from w2s_factory.experiment.report.models import compared_by_tag

if TYPE_CHECKING:
    from w2s_factory.experiment.report.figures.canvas import Drawing
    from w2s_factory.experiment.report.findings import Findings


@dataclass(frozen=True)
class Drawings:
    """The figures of a page; one without data is None."""

    accuracy: Drawing | None
    iterations: Drawing | None
    agreement: Drawing | None
    purity: Drawing | None
    confidence: Drawing | None
    tags: list[Drawing]
    loss: Drawing | None
    preference: Drawing | None
    movement: Drawing | None
    times: Drawing | None

    def all(self) -> list[Drawing]:
        """Return the figures that have data, in the order of the page."""
        first = [self.accuracy, self.iterations, self.agreement, self.purity, self.confidence, *self.tags]
        last = [self.loss, self.preference, self.movement, self.times]
        return [drawing for drawing in (*first, *last) if drawing is not None]


def draw(found: Findings) -> Drawings:
    """Draw all figures for which there are results."""
    compared = compared_by_tag(found.models)
    tags = dict.fromkeys(group.tag for group in found.groups)
    return Drawings(
        accuracy=accuracy_figure(found.models),
        iterations=iterations_figure(found.models),
        agreement=agreement_figure(found.stage1),
        purity=purity_figure(found.stage1),
        confidence=confidence_figure(found.stage2),
        tags=[tag_figure(tag, found.groups, compared) for tag in tags] if compared else [],
        loss=loss_figure(found.trainings),
        preference=preference_figure(found.trainings),
        movement=movement_figure(found.trainings),
        times=times_figure(found.timed),
    )
