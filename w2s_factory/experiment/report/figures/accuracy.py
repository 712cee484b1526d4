"""Figures of accuracy: of all models, by tag, and by iteration as in the paper's Figure 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from w2s_factory.experiment.report.figures.canvas import canvas, drawable, drawn, file_stem, percent_axis
from w2s_factory.experiment.report.figures.palette import LIGHT
from w2s_factory.experiment.report.models import CEILING, FLOOR, FULL_WEAK, WEAK_ICL, find
from w2s_factory.experiment.report.wording import joined, percent
from w2s_factory.experiment.run_contents import CONTROL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.report.figures.canvas import Drawing
    from w2s_factory.experiment.report.models import Group, ReportedModel

_ROW = 38
_LINE_HALF = 0.22
"""Half the length of a piece of the lines of floor and ceiling, in rows: above it is the row's label."""

_COLOURS: Final = {"baseline": "soft", "stage1": "blue", "stage2": "purple"}


def colour(model: ReportedModel) -> str:
    """Return the colour of a model: that of its stage, or of floor or ceiling."""
    return LIGHT[{FLOOR: "red", CEILING: "green"}.get(model.key, _COLOURS[model.stage])]


def accuracy_figure(models: Sequence[ReportedModel]) -> Drawing | None:
    """Draw a row for each model: its mean, the interval, the seeds; floor and ceiling are vertical lines.

    The lines are interrupted where labels are.
    """
    if not models:
        return None
    with canvas(50 + _ROW * len(models)) as figure:
        axes = figure.add_subplot()
        for place, model in enumerate(models):
            _row(axes, place, model)
        for key in (FLOOR, CEILING):
            if end := find(models, key):
                rows = range(len(models))
                ends = [place - _LINE_HALF for place in rows], [place + _LINE_HALF for place in rows]
                axes.vlines([end.accuracy.value] * len(models), *ends, color=colour(end), linewidth=1.2)
        axes.set_ylim(len(models) - 0.6, -0.8)
        axes.set_xlim(right=min(1.0, axes.get_xlim()[1]) + 0.002)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("accuracy")
        percent_axis(axes, "x")
        said = [f"{model.label} {percent(model.accuracy.value)}" for model in models]
        return drawn(figure, "accuracy", "Accuracy of each model", f"{joined(said)}.")


def _row(axes: Axes, place: int, model: ReportedModel) -> None:
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


_LINE = 13
_MARKERS = "osD^vPX*<>phdH8"


def tag_figure(tag: str, groups: Sequence[Group], models: Sequence[ReportedModel]) -> Drawing:
    """Draw the accuracy by one tag: a row for each of its values, with a line for each model."""
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
        return drawn(figure, file_stem(f"by_{tag}"), f"Accuracy by {tag}", _tags_description(rows, models))


def _tick(group: Group) -> str:
    """Return the label of a group (`Algebra`, `level 3`), with the number of questions below."""
    name = group.value if isinstance(group.value, str) else f"{group.tag} {group.value}"
    return f"{drawable(name)}\n({group.questions})"


def _model(axes: Axes, model: ReportedModel, rows: Sequence[Group], number: int, of: int) -> None:
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


def _tags_description(rows: Sequence[Group], models: Sequence[ReportedModel]) -> str:
    said = []
    for group in rows:
        shares = [
            f"{model.label} {percent(group.accuracies[model.key].value)}"
            for model in models
            if model.key in group.accuracies
        ]
        said.append(f"{group.value}: {joined(shares)}")
    return "; ".join(said) + "."


_HEIGHT = 350
_SIDES: Final = {"weak_ft": ("orange", "s"), "icl_ft": ("teal", "^"), "hybrid_ft": ("blue", "o")}
_LINES: Final = {
    FLOOR: ("weak floor", "red", "--"),
    FULL_WEAK: ("full weak FT", "soft", ":"),
    WEAK_ICL: ("weak ICL", "soft", "-."),
    CEILING: ("ceiling", "green", "--"),
}
_SHORT: Final = {CONTROL: "SFT on chosen"}
_LABEL_GAP = 0.055
"""The least distance of two labels, as a share of the axis."""


def iterations_figure(models: Sequence[ReportedModel]) -> Drawing | None:
    """Draw the three sides of each iteration, then Stage II; baselines, floor and ceiling are lines."""
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
        return drawn(figure, "iterations", title, _iterations_description(models))


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Return rising places moved apart until each is at least `gap` above the previous one."""
    moved: list[list[float]] = []  # groups of labels that touch
    for place in places:
        moved.append([place])
        while len(moved) > 1 and _bottom(moved[-1], gap) < _top(moved[-2], gap) + gap:
            last = moved.pop()
            moved[-1] += last
    return [_bottom(run, gap) + gap * number for run in moved for number in range(len(run))]


def _bottom(run: Sequence[float], gap: float) -> float:
    """Return the lowest place of a group of labels that is centred on the mean of their places."""
    return sum(run) / len(run) - gap * (len(run) - 1) / 2


def _top(run: Sequence[float], gap: float) -> float:
    return _bottom(run, gap) + gap * (len(run) - 1)


def _baselines(axes: Axes, models: Sequence[ReportedModel]) -> Iterable[tuple[float, str, str]]:
    for key, (label, colour, dashes) in _LINES.items():
        if model := find(models, key):
            axes.axhline(model.accuracy.value, color=LIGHT[colour], linestyle=dashes, linewidth=1.5)
            yield model.accuracy.value, label, colour


def _sides(axes: Axes, models: Sequence[ReportedModel]) -> Iterable[tuple[float, str, str]]:
    for side, (colour, marker) in _SIDES.items():
        line = [model for model in models if model.stage == "stage1" and model.key.endswith(side)]
        line.sort(key=lambda model: model.iteration or 0)
        if line:
            offset = (list(_SIDES).index(side) - 1) * 0.05
            places = [(model.iteration or 0) + offset for model in line]
            _points(axes, places, line, colour, marker)
            yield line[-1].accuracy.value, side.replace("_", "-"), colour


def _stage2(axes: Axes, models: Sequence[ReportedModel], place: int) -> Iterable[tuple[float, str, str]]:
    found = [model for model in models if model.stage == "stage2"]
    for number, model in enumerate(found):
        offset = (number - (len(found) - 1) / 2) * 0.12
        _points(axes, [place + offset], [model], "purple", "DPX*v"[number % 5])
        yield model.accuracy.value, _SHORT.get(model.key, model.label), "purple"


def _points(axes: Axes, places: list[float], line: list[ReportedModel], colour: str, marker: str) -> None:
    values = [model.accuracy.value for model in line]
    errors = [
        [model.accuracy.value - model.accuracy.low for model in line],
        [model.accuracy.high - model.accuracy.value for model in line],
    ]
    axes.errorbar(
        places, values, yerr=errors, color=LIGHT[colour], marker=marker, markersize=7, elinewidth=1.2
    )


def _label(axes: Axes, labels: Iterable[tuple[float, str, str]]) -> None:
    """Write the names of lines at the right, moved apart where they would overlap."""
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


def _iterations_description(models: Sequence[ReportedModel]) -> str:
    lines = [
        f"{_LINES[key][0]} {percent(model.accuracy.value)}" for key in _LINES if (model := find(models, key))
    ]
    points = [
        f"{model.label} {percent(model.accuracy.value)}" for model in models if model.stage != "baseline"
    ]
    return f"Lines: {', '.join(lines) or 'none'}. Points: {', '.join(points)}."
