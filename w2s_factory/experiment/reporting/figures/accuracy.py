"""All models: accuracy with its interval, and that of each seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from w2s_factory.experiment.reporting.figures.drawing import canvas, drawable, drawn, percent_axis
from w2s_factory.experiment.reporting.figures.palette import LIGHT
from w2s_factory.experiment.reporting.models import CEILING, FLOOR, find
from w2s_factory.experiment.reporting.words import joined, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.reporting.figures.drawing import Drawing
    from w2s_factory.experiment.reporting.models import Model

_ROW = 38
_COLOURS: Final = {"baseline": "soft", "stage1": "blue", "stage2": "purple"}


def colour(model: Model) -> str:
    """The colour of a model: by its stage, floor and ceiling their own."""
    return LIGHT[{FLOOR: "red", CEILING: "green"}.get(model.key, _COLOURS[model.stage])]


def accuracy_figure(models: Sequence[Model]) -> Drawing | None:
    """A row for each model: its mean, the interval, the seeds; floor and ceiling as lines through all."""
    if not models:
        return None
    with canvas(50 + _ROW * len(models)) as figure:
        axes = figure.add_subplot()
        for place, model in enumerate(models):
            _row(axes, place, model)
        for key in (FLOOR, CEILING):
            if end := find(models, key):
                axes.axvline(end.accuracy.value, color=colour(end), linestyle="--", linewidth=1.2)
        axes.set_ylim(len(models) - 0.6, -0.8)
        axes.set_xlim(right=min(1.0, axes.get_xlim()[1]) + 0.002)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("accuracy")
        percent_axis(axes, "x")
        said = [f"{model.label} {percent(model.accuracy.value)}" for model in models]
        return drawn(figure, "accuracy", "Accuracy of each model", f"{joined(said)}.")


def _row(axes: Axes, place: int, model: Model) -> None:
    shown, estimate = colour(model), model.accuracy
    axes.plot([estimate.low, estimate.high], [place, place], color=shown, linewidth=3, alpha=0.45)
    axes.plot([estimate.value], [place], "o", color=shown, markersize=8)
    seeds = list(model.strict.by_seed().values())
    if len(seeds) > 1:
        axes.plot(seeds, [place] * len(seeds), "|", color=shown, markersize=12, markeredgewidth=1.2)
    label = f"{drawable(model.label)}: {percent(estimate.value)}"
    if model.any_format:
        loose = float(model.any_format.right.mean())
        axes.plot([loose], [place], "o", color=shown, markersize=8, markerfacecolor="none")
        label += f" (○ any format {percent(loose)})"
    axes.annotate(label, (0, place - 0.27), xycoords=("axes fraction", "data"), va="bottom", fontsize=11)
