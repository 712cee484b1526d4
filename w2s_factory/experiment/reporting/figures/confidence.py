"""How sure the votes of Stage II are, with the two thresholds."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from w2s_factory.experiment.reporting.figures.drawing import canvas, drawn, hatched
from w2s_factory.experiment.reporting.figures.palette import LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.reporting.figures.drawing import Drawing
    from w2s_factory.experiment.reporting.stage2 import Bar, Preferences


def confidence_figure(preferences: Sequence[Preferences]) -> Drawing | None:
    """Questions by the confidence of their majority, right or wrong where known, with both thresholds."""
    if not preferences:
        return None
    bars = [bar for one in preferences for bar in one.bars]
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
    """A count of each confidence, mean over the seeds."""
    total: defaultdict[float, float] = defaultdict(float)
    for bar, count in zip(bars, counts, strict=True):
        total[bar.confidence] += count / seeds
    return [total[place] for place in places]


def _bars(
    axes: Axes, places: list[float], width: float, asked: list[float], rights: list[float] | None
) -> None:
    """Right and wrong majorities where gold is known, else all of them."""
    if rights is None:
        axes.bar(places, asked, width, color=LIGHT["blue"], label="questions (gold not known)")
        return
    wrongs = [all_ - right for all_, right in zip(asked, rights, strict=True)]
    axes.bar(places, rights, width, color=LIGHT["green"], label="majority right")
    axes.bar(places, wrongs, width, rights, label="majority wrong", **hatched("red"))


def border(places: Sequence[float], threshold: float) -> float:
    """Where a threshold stands among bars: between the last one below it and the first one it counts."""
    below = [place for place in places if place < threshold]
    counted = [place for place in places if place >= threshold]
    return (below[-1] + counted[0]) / 2 if below and counted else threshold


def _thresholds(axes: Axes, one: Preferences, places: Sequence[float]) -> None:
    top = 1.2 * axes.get_ylim()[1]
    axes.set_ylim(top=top)
    named = [
        (one.rules.min_confidence, "counts from", "right"),
        (one.rules.negative_confidence, "calls weak wrong from", "left"),
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
