"""Figures of training: loss, rewards and log-probabilities of preference learning, durations of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from w2s_factory.experiment.report.figures.canvas import canvas, drawable, drawn
from w2s_factory.experiment.report.figures.palette import LIGHT
from w2s_factory.experiment.report.wording import duration
from w2s_factory.llamafactory.policy_movement import SHOWN
from w2s_factory.llamafactory.preference_methods import METHODS
from w2s_factory.quantities import PAIR_SETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.report.figures.canvas import Drawing
    from w2s_factory.experiment.report.training_curves import Timed, TrainingCurves

_STEP_NAME = 60
"""The most characters of a step's name, which may contain a model, a split and a shard."""

_MOST_STEPS = 20
_METHODS: Final = (("blue", "o"), ("orange", "s"), ("teal", "^"), ("purple", "D"), ("red", "v"))
"""The colour and the marker of each preference method, in the order of `METHODS`."""

_DASHES: Final[dict[str, str]] = dict(zip(PAIR_SETS, ("-", "--", ":", "-."), strict=True))
"""The line of each set of pairs."""

_SIDES: Final = {"chosen": ("green", "-"), "rejected": ("red", "--")}


def loss_figure(trainings: Sequence[TrainingCurves]) -> Drawing | None:
    """Draw a small panel for each model, with a line for each seed."""
    models = _by_model(trainings, "loss")
    if not models:
        return None
    rows = (len(models) + 1) // 2
    with canvas(30 + 130 * rows) as figure:
        for number, (label, runs) in enumerate(models.items(), 1):
            axes = figure.add_subplot(rows, 2, number)
            for run in runs:
                axes.plot(*zip(*run.curves["loss"], strict=True), color=LIGHT["blue"], linewidth=1.3)
            axes.set_title(drawable(_short(label)), fontsize=11)
            axes.set_ylim(bottom=0)
        figure.supxlabel("step", fontsize=11)
        said = [
            f"{label}: from {runs[0].curves['loss'][0][1]:.2f} to {runs[0].curves['loss'][-1][1]:.2f}"
            for label, runs in models.items()
        ]
        return drawn(figure, "loss", "Training loss", f"First seed: {'; '.join(said)}.")


def preference_figure(trainings: Sequence[TrainingCurves]) -> Drawing | None:
    """Draw rewards and log-probabilities of chosen and rejected responses, with a row for each method."""
    models = _by_model([training for training in trainings if training.preference], "rewards/chosen")
    if not models:
        return None
    with canvas(50 + 150 * len(models)) as figure:
        for number, (label, runs) in enumerate(models.items()):
            for column, name in enumerate(("rewards", "logps")):
                axes = figure.add_subplot(len(models), 2, 2 * number + column + 1)
                _sides(axes, runs, name)
                axes.set_title(f"{drawable(_short(label))}: {name}", fontsize=11)
        axes = figure.axes[0]
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        figure.supxlabel("step", fontsize=11)
        return drawn(figure, "preference", "Chosen and rejected during training", _said(models))


def movement_figure(trainings: Sequence[TrainingCurves]) -> Drawing | None:
    """Draw the first and the last logged value of each preference training: a panel for each value."""
    moved = [(training, training.movement) for training in trainings if training.movement is not None]
    panels = [name for name in SHOWN if any(name in movement.ends for _, movement in moved)]
    if not moved or not panels:
        return None
    with canvas(60 + 150 * ((len(panels) + 1) // 2)) as figure:
        for number, name in enumerate(panels, 1):
            axes = figure.add_subplot((len(panels) + 1) // 2, 2, number)
            for training, movement in moved:
                if name in movement.ends:
                    label = drawable(_short(training.label))
                    axes.plot((0, 1), movement.ends[name], label=label, **_look(training))
            axes.set_xticks((0, 1), ("first", "last"))
            axes.set_xlim(-0.3, 1.3)
            axes.set_title(SHOWN[name], fontsize=11)
        figure.legend(*_one_each(figure.axes), loc="outside upper left", ncols=3)
        said = [f"{training.label}, seed {training.seed}: {movement.values}" for training, movement in moved]
        return drawn(figure, "movement", "Whether the policy moved", f"{'; '.join(said)}.")


def _look(training: TrainingCurves) -> dict[str, Any]:
    """Return the line of a preference training: its method gives colour and marker, its pairs the dashes.

    So each method on each set of pairs has a line of its own, also for readers who see no colours.
    """
    known = list(METHODS)
    place = known.index(training.method) if training.method in known else len(known)
    colour, marker = _METHODS[min(place, len(_METHODS) - 1)]
    dashes = _DASHES.get(training.pairs or "weak", "-")
    return {"color": LIGHT[colour], "linestyle": dashes, "marker": marker, "markersize": 4}


def _one_each(panels: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    """Return a line for each label in some panels, and the labels, for a legend."""
    lines: dict[str, Any] = {}
    for panel in panels:
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True):
            lines.setdefault(label, line)
    return list(lines.values()), list(lines)


def times_figure(timed: Sequence[Timed]) -> Drawing | None:
    """Draw the durations of the longest steps, each the mean over its seeds."""
    steps: dict[str, list[float]] = {}
    for timing in timed:
        steps.setdefault(timing.job.name.split("/", 1)[-1], []).append(timing.seconds)
    means = {name: sum(seconds) / len(seconds) for name, seconds in steps.items()}
    longest = sorted(means, key=lambda name: -means[name])[:_MOST_STEPS]
    if not longest:
        return None
    with canvas(50 + 22 * len(longest)) as figure:
        axes = figure.add_subplot()
        places = range(len(longest))
        axes.barh(places, [means[name] for name in longest], color=LIGHT["teal"], height=0.65)
        axes.set_yticks(places, [drawable(name, _STEP_NAME) for name in longest])
        for place, name in enumerate(longest):
            axes.annotate(
                duration(means[name]),
                (means[name], place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=11,
            )
        axes.invert_yaxis()
        axes.margins(x=0.22)
        axes.set_xlabel("seconds")
        axes.grid(visible=False, axis="y")
        said = ", ".join(f"{name} {duration(means[name])}" for name in longest)
        return drawn(figure, "times", "The longest steps", f"{said}.")


def _by_model(trainings: Sequence[TrainingCurves], curve: str) -> dict[str, list[TrainingCurves]]:
    models: dict[str, list[TrainingCurves]] = {}
    for training in trainings:
        if curve in training.curves:
            models.setdefault(training.label, []).append(training)
    return models


def _sides(axes: Axes, runs: Sequence[TrainingCurves], name: str) -> None:
    for side, (colour, dashes) in _SIDES.items():
        for number, run in enumerate(runs):
            points = run.curves.get(f"{name}/{side}", [])
            if points:
                label = side if number == 0 else None
                axes.plot(
                    *zip(*points, strict=True),
                    color=LIGHT[colour],
                    linestyle=dashes,
                    linewidth=1.3,
                    label=label,
                )


def _short(label: str) -> str:
    """Return a label that fits above a small panel."""
    return label.replace("Stage I, iteration ", "I.").replace(" fine-tuning", " FT").partition(" (")[0]


def _said(models: dict[str, list[TrainingCurves]]) -> str:
    said = []
    for label, runs in models.items():
        ends = [
            f"{name} {runs[0].curves[name][-1][1]:.2f}"
            for name in ("rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected")
            if name in runs[0].curves
        ]
        said.append(f"{label}, first seed, at the end: {', '.join(ends)}")
    return "; ".join(said) + "."
