"""Accuracy by iteration between floor and ceiling, in the manner of the paper's Figure 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from w2s_factory.experiment.reporting.figures.drawing import canvas, drawable, drawn, percent_axis
from w2s_factory.experiment.reporting.figures.palette import LIGHT
from w2s_factory.experiment.reporting.models import CEILING, FLOOR, FULL_WEAK, WEAK_ICL, find
from w2s_factory.experiment.reporting.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.reporting.figures.drawing import Drawing
    from w2s_factory.experiment.reporting.models import Model

_HEIGHT = 350
_SIDES: Final = {"weak_ft": ("orange", "s"), "icl_ft": ("teal", "^"), "hybrid_ft": ("blue", "o")}
_LINES: Final = {
    FLOOR: ("weak floor", "red", "--"),
    FULL_WEAK: ("full weak FT", "soft", ":"),
    WEAK_ICL: ("weak ICL", "soft", "-."),
    CEILING: ("ceiling", "green", "--"),
}
_SHORT: Final = {"sft_chosen": "SFT on chosen"}
_LABEL_GAP = 0.055
"""The least distance of two labels, as a share of the axis."""


def iterations_figure(models: Sequence[Model]) -> Drawing | None:
    """The three sides of each iteration, then Stage II; baselines, floor and ceiling as lines."""
    steps = sorted({model.iteration for model in models if model.stage == "stage1" and model.iteration})
    if not steps:
        return None
    with canvas(_HEIGHT) as figure:
        axes = figure.add_subplot()
        labels = [*_baselines(axes, models), *_sides(axes, models), *_stage2(axes, models, steps[-1] + 1)]
        ticks = {step: f"iteration {step}" for step in steps}
        if any(model.stage == "stage2" for model in models):
            ticks[steps[-1] + 1] = "Stage II"
        end = max(ticks)
        axes.set_xlim(min(ticks) - 0.25, end + 0.25)
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_ylabel("accuracy")
        percent_axis(axes)
        _label(axes, labels)
        title = "Accuracy by iteration, between weak floor and strong ceiling"
        return drawn(figure, "iterations", title, _description(models))


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Places in rising order moved apart until each is at least `gap` above the one before."""
    moved: list[list[float]] = []  # runs of labels that touch
    for place in places:
        moved.append([place])
        while len(moved) > 1 and _bottom(moved[-1], gap) < _top(moved[-2], gap) + gap:
            last = moved.pop()
            moved[-1] += last
    return [_bottom(run, gap) + gap * number for run in moved for number in range(len(run))]


def _bottom(run: Sequence[float], gap: float) -> float:
    """Where a run of labels begins that is centred on the mean of its places."""
    return sum(run) / len(run) - gap * (len(run) - 1) / 2


def _top(run: Sequence[float], gap: float) -> float:
    return _bottom(run, gap) + gap * (len(run) - 1)


def _baselines(axes: Axes, models: Sequence[Model]) -> Iterable[tuple[float, str, str]]:
    for key, (label, colour, dashes) in _LINES.items():
        if model := find(models, key):
            axes.axhline(model.accuracy.value, color=LIGHT[colour], linestyle=dashes, linewidth=1.5)
            yield model.accuracy.value, label, colour


def _sides(axes: Axes, models: Sequence[Model]) -> Iterable[tuple[float, str, str]]:
    for side, (colour, marker) in _SIDES.items():
        line = [model for model in models if model.stage == "stage1" and model.key.endswith(side)]
        line.sort(key=lambda model: model.iteration or 0)
        if line:
            offset = (list(_SIDES).index(side) - 1) * 0.05
            places = [(model.iteration or 0) + offset for model in line]
            _points(axes, places, line, colour, marker)
            yield line[-1].accuracy.value, side.replace("_", "-"), colour


def _stage2(axes: Axes, models: Sequence[Model], place: int) -> Iterable[tuple[float, str, str]]:
    found = [model for model in models if model.stage == "stage2"]
    for number, model in enumerate(found):
        offset = (number - (len(found) - 1) / 2) * 0.12
        _points(axes, [place + offset], [model], "purple", "DPX*v"[number % 5])
        yield model.accuracy.value, _SHORT.get(model.key, model.label), "purple"


def _points(axes: Axes, places: list[float], line: list[Model], colour: str, marker: str) -> None:
    values = [model.accuracy.value for model in line]
    errors = [
        [model.accuracy.value - model.accuracy.low for model in line],
        [model.accuracy.high - model.accuracy.value for model in line],
    ]
    axes.errorbar(
        places, values, yerr=errors, color=LIGHT[colour], marker=marker, markersize=7, elinewidth=1.2
    )


def _label(axes: Axes, labels: Iterable[tuple[float, str, str]]) -> None:
    """Names of lines at the right, moved apart where they would cover each other."""
    labels = sorted(labels)
    low, high = axes.get_ylim()
    gap = _LABEL_GAP * (high - low)
    places = spread([value for value, _, _ in labels], gap)
    lift = max(0.0, low + gap / 2 - places[0]) if places else 0.0
    for place, (_, label, colour) in zip(places, labels, strict=True):
        axes.annotate(
            drawable(label),
            (1.02, place + lift),
            xycoords=("axes fraction", "data"),
            va="center",
            color=LIGHT[colour],
            annotation_clip=False,
        )


def _description(models: Sequence[Model]) -> str:
    lines = [
        f"{_LINES[key][0]} {percent(model.accuracy.value)}" for key in _LINES if (model := find(models, key))
    ]
    points = [
        f"{model.label} {percent(model.accuracy.value)}" for model in models if model.stage != "baseline"
    ]
    return f"Lines: {', '.join(lines) or 'none'}. Points: {', '.join(points)}."
