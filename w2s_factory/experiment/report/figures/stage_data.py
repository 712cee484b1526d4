"""Figures of the data each stage builds: agreement in Stage I, confidence of votes in Stage II."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from w2s_factory.experiment.report.figures.canvas import canvas, drawn, hatched, percent_axis
from w2s_factory.experiment.report.figures.palette import LIGHT
from w2s_factory.experiment.report.wording import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.report.figures.canvas import Drawing
    from w2s_factory.experiment.report.stage_results import Bar, Iteration, Preferences


def agreement_figure(iterations: Sequence[Iteration]) -> Drawing | None:
    """Draw for each iteration and seed the kept questions, correct and wrong, and the dropped ones."""
    if not iterations:
        return None
    with canvas(90 + 26 * len(iterations)) as figure:
        axes = figure.add_subplot()
        names = [f"iteration {iteration.iteration}, seed {iteration.seed}" for iteration in iterations]
        kept = [iteration.agreement.kept for iteration in iterations]
        dropped = [iteration.agreement.questions - iteration.agreement.kept for iteration in iterations]
        if all(iteration.agreement.weak_kept.known for iteration in iterations if iteration.agreement.kept):
            right = [iteration.agreement.weak_kept.right for iteration in iterations]
            wrong = [all_kept - good for all_kept, good in zip(kept, right, strict=True)]
            parts = [("kept, right", right, "green", ""), ("kept, wrong", wrong, "red", "///")]
        else:
            parts = [("kept", kept, "blue", "")]
        _stacked(axes, names, [*parts, ("dropped", dropped, "line", "")])
        axes.invert_yaxis()
        axes.set_xlabel("questions")
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper left", ncols=3)
        return drawn(figure, "agreement", "What agreement keeps", _agreement_said(iterations))


def purity_figure(iterations: Sequence[Iteration]) -> Drawing | None:
    """Draw the accuracy of each side, kept and dropped, by iteration; None if gold is not known."""
    steps = sorted({iteration.iteration for iteration in iterations})
    lines = [
        (place, step, label, look, share)
        for place, step in enumerate(steps)
        for label, look, share in _purities(
            [iteration for iteration in iterations if iteration.iteration == step]
        )
    ]
    if not lines:
        return None
    with canvas(110 + 70 * len(steps)) as figure:
        axes = figure.add_subplot()
        for place, _, label, look, share in lines:
            axes.plot(
                [share], [place], linestyle="none", markersize=9, label=label if place == 0 else None, **look
            )
        axes.set_yticks(range(len(steps)), [f"iteration {step}" for step in steps])
        axes.set_ylim(len(steps) - 0.5, -0.5)
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel("right answers")
        percent_axis(axes, "x")
        figure.legend(loc="outside upper left", ncols=2)
        said = [f"iteration {step}, {label}: {percent(share)}" for _, step, label, _, share in lines]
        return drawn(figure, "purity", "How right the answers are", f"{'; '.join(said)}.")


def _purities(iterations: Sequence[Iteration]) -> Iterator[tuple[str, dict[str, Any], float]]:
    """Yield label, style and accuracy of each part with known gold, all seeds of an iteration together."""
    orange, teal, green = LIGHT["orange"], LIGHT["teal"], LIGHT["green"]
    parts = [
        ("all weak answers", {"marker": "s", "color": orange}, [iteration.weak for iteration in iterations]),
        ("all icl answers", {"marker": "^", "color": teal}, [iteration.icl for iteration in iterations]),
        (
            "kept",
            {"marker": "o", "color": green},
            [iteration.agreement.weak_kept for iteration in iterations],
        ),
        (
            "dropped, weak",
            {"marker": "s", "color": orange, "markerfacecolor": "none"},
            [iteration.agreement.weak_dropped for iteration in iterations],
        ),
        (
            "dropped, icl",
            {"marker": "^", "color": teal, "markerfacecolor": "none"},
            [iteration.agreement.icl_dropped for iteration in iterations],
        ),
    ]
    for label, look, accuracies in parts:
        known = sum(accuracy.known for accuracy in accuracies)
        if known:
            yield label, look, sum(accuracy.right for accuracy in accuracies) / known


def _stacked(axes: Axes, names: list[str], parts: Sequence[tuple[str, list[int], str, str]]) -> None:
    left = [0] * len(names)
    for label, counts, colour, hatch in parts:
        axes.barh(
            names,
            counts,
            left=left,
            color=LIGHT[colour],
            hatch=hatch,
            edgecolor=LIGHT["paper" if hatch else "soft"],
            linewidth=0 if hatch else 0.6,
            height=0.7,
            label=label,
        )
        left = [before + count for before, count in zip(left, counts, strict=True)]


def _agreement_said(iterations: Sequence[Iteration]) -> str:
    said = []
    for iteration in iterations:
        counts = iteration.agreement
        clean = counts.weak_kept.share
        purity = "" if clean is None else f", {percent(clean)} of them right"
        which = f"iteration {iteration.iteration}, seed {iteration.seed}"
        said.append(f"{which}: {counts.kept} of {counts.questions} kept{purity}")
    return "; ".join(said) + "."


def confidence_figure(preferences: Sequence[Preferences]) -> Drawing | None:
    """Draw questions by the confidence of their majority, correct or wrong if known, with both thresholds."""
    if not preferences:
        return None
    bars = [bar for stage2 in preferences for bar in stage2.bars]
    places = sorted({bar.confidence for bar in bars})
    asked = _mean(bars, places, [bar.questions for bar in bars], len(preferences))
    known = [bar.right for bar in bars if bar.right is not None]
    rights = _mean(bars, places, known, len(preferences)) if len(known) == len(bars) else None
    step = min((high - low for low, high in pairwise(places)), default=0.1)
    with canvas(310) as figure:
        axes = figure.add_subplot()
        _bars(axes, places, step * 0.8, asked, rights)
        _thresholds(axes, preferences[0], places)
        axes.set_xlabel("confidence: share of the samples that give the majority answer")
        axes.set_ylabel("questions")
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper left", ncols=2)
        return drawn(figure, "confidence", "Confidence of the votes", _confidence_said(places, asked, rights))


def _mean(bars: Sequence[Bar], places: Sequence[float], counts: Sequence[int], seeds: int) -> list[float]:
    """Return the count at each confidence, as the mean over the seeds."""
    total: defaultdict[float, float] = defaultdict(float)
    for bar, count in zip(bars, counts, strict=True):
        total[bar.confidence] += count / seeds
    return [total[place] for place in places]


def _bars(
    axes: Axes, places: list[float], width: float, asked: list[float], rights: list[float] | None
) -> None:
    """Draw correct and wrong majorities if gold is known, else all majorities."""
    if rights is None:
        axes.bar(places, asked, width, color=LIGHT["blue"], label="questions (gold not known)")
        return
    wrongs = [all_ - right for all_, right in zip(asked, rights, strict=True)]
    axes.bar(places, rights, width, color=LIGHT["green"], label="majority right")
    axes.bar(places, wrongs, width, rights, label="majority wrong", **hatched("red"))


def border(places: Sequence[float], threshold: float) -> float:
    """Return the place of a threshold among bars: between the last below it and the first at or above it."""
    below = [place for place in places if place < threshold]
    counted = [place for place in places if place >= threshold]
    return (below[-1] + counted[0]) / 2 if below and counted else threshold


def _thresholds(axes: Axes, stage2: Preferences, places: Sequence[float]) -> None:
    top = 1.2 * axes.get_ylim()[1]
    axes.set_ylim(top=top)
    named = [
        (stage2.rules.min_confidence, "counts from", "right"),
        (stage2.rules.negative_confidence, "calls weak wrong from", "left"),
    ]
    for value, meaning, side in named:
        place = border(places, value)
        axes.axvline(place, color=LIGHT["ink"], linestyle="--", linewidth=1.3)
        axes.annotate(
            f"{meaning} {value:g}",
            (place, 0.99 * top),
            xytext=(-5 if side == "right" else 5, 0),
            textcoords="offset points",
            ha=side,
            va="top",
            fontsize=11,
        )


def _confidence_said(places: list[float], asked: list[float], rights: list[float] | None) -> str:
    right = [""] * len(places) if rights is None else [f", {count:.0f} right" for count in rights]
    said = [f"{place:g}: {count:.0f}{more}" for place, count, more in zip(places, asked, right, strict=True)]
    return f"Questions by confidence, mean over seeds. {'; '.join(said)}."
