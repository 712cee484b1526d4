"""Accuracy by tag: for each value, floor, M_plus, Stage II and ceiling side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.experiment.reporting.figures.accuracy import colour
from w2s_factory.experiment.reporting.figures.drawing import canvas, drawable, drawn, file_stem, percent_axis
from w2s_factory.experiment.reporting.words import joined, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.reporting.figures.drawing import Drawing
    from w2s_factory.experiment.reporting.models import Model
    from w2s_factory.experiment.reporting.tags import Group

_LINE = 13
_MARKERS = "osD^vPX*"


def tag_figure(tag: str, groups: Sequence[Group], models: Sequence[Model]) -> Drawing:
    """One tag: a row for each of its values, a line in it for each model."""
    rows = [group for group in groups if group.tag == tag]
    height = 80 + 18 * ((len(models) + 1) // 2) + len(rows) * (len(models) * _LINE + 12)
    with canvas(height) as figure:
        axes = figure.add_subplot()
        for number, model in enumerate(models):
            _model(axes, model, rows, number, len(models))
        axes.set_yticks(range(len(rows)), [_tick(group) for group in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("accuracy")
        axes.grid(visible=False, axis="y")
        for border in range(1, len(rows)):
            axes.axhline(border - 0.5, color=axes.spines["left"].get_edgecolor(), linewidth=0.4)
        percent_axis(axes, "x")
        figure.legend(loc="outside upper left", ncols=2)
        return drawn(figure, file_stem(f"by_{tag}"), f"Accuracy by {tag}", _description(rows, models))


def _tick(group: Group) -> str:
    """`Algebra`, `level 3`; the number of questions below."""
    name = group.value if isinstance(group.value, str) else f"{group.tag} {group.value}"
    return f"{drawable(name)}\n({group.questions})"


def _model(axes: Axes, model: Model, rows: Sequence[Group], number: int, of: int) -> None:
    there = [
        (place, group.accuracies[model.key])
        for place, group in enumerate(rows)
        if model.key in group.accuracies
    ]
    offset = (number - (of - 1) / 2) * 0.8 / of
    places = [place + offset for place, _ in there]
    values = [estimate.value for _, estimate in there]
    errors = [
        [estimate.value - estimate.low for _, estimate in there],
        [estimate.high - estimate.value for _, estimate in there],
    ]
    axes.errorbar(
        values,
        places,
        xerr=errors,
        fmt=_MARKERS[number % len(_MARKERS)],
        color=colour(model),
        markersize=5,
        elinewidth=1,
        label=drawable(model.label),
    )


def _description(rows: Sequence[Group], models: Sequence[Model]) -> str:
    said = []
    for group in rows:
        shares = [
            f"{model.label} {percent(group.accuracies[model.key].value)}"
            for model in models
            if model.key in group.accuracies
        ]
        said.append(f"{group.value}: {joined(shares)}")
    return "; ".join(said) + "."
