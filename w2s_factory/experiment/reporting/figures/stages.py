"""What the two stages made of their questions: agreement, and confidence of the votes."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from w2s_factory.experiment.reporting.figures.drawing import canvas, drawn
from w2s_factory.experiment.reporting.figures.palette import LIGHT
from w2s_factory.experiment.reporting.words import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.reporting.figures.drawing import Drawing
    from w2s_factory.experiment.reporting.stage1 import Iteration
    from w2s_factory.experiment.reporting.stage2 import Preferences

_WIDTH = 440


def agreement_figure(iterations: Sequence[Iteration]) -> Drawing | None:
    """Each iteration and seed: questions kept with a right answer, with a wrong one, and dropped."""
    if not iterations:
        return None
    with canvas(_WIDTH, 90 + 26 * len(iterations)) as figure:
        axes = figure.add_subplot()
        names = [f"iteration {one.iteration}, seed {one.seed}" for one in iterations]
        kept = [one.agreement.kept for one in iterations]
        dropped = [one.agreement.questions - one.agreement.kept for one in iterations]
        if all(one.agreement.weak_kept.known for one in iterations if one.agreement.kept):
            right = [one.agreement.weak_kept.right for one in iterations]
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


def confidence_figure(preferences: Sequence[Preferences]) -> Drawing | None:
    """Questions by the confidence of their majority, right or wrong, with the two thresholds."""
    if not preferences:
        return None
    right: defaultdict[float, float] = defaultdict(float)
    wrong: defaultdict[float, float] = defaultdict(float)
    for one in preferences:
        for bar in one.bars:
            right[bar.confidence] += bar.right / len(preferences)
            wrong[bar.confidence] += (bar.questions - bar.right) / len(preferences)
    places = sorted(right)
    step = min((high - low for low, high in pairwise(places)), default=0.1)
    with canvas(_WIDTH, 310) as figure:
        axes = figure.add_subplot()
        rights, wrongs = [right[place] for place in places], [wrong[place] for place in places]
        look = {"width": step * 0.8, "edgecolor": LIGHT["paper"], "linewidth": 0}
        axes.bar(places, rights, color=LIGHT["green"], label="majority right", **look)
        axes.bar(
            places, wrongs, bottom=rights, color=LIGHT["red"], hatch="///", label="majority wrong", **look
        )
        _thresholds(axes, preferences[0], step)
        axes.set_xlabel("confidence: share of the samples that give the majority answer")
        axes.set_ylabel("questions")
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper left", ncols=2)
        return drawn(figure, "confidence", "Confidence of the votes", _confidence_said(places, right, wrong))


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


def _thresholds(axes: Axes, one: Preferences, step: float) -> None:
    """The thresholds: they count the bars at and right of them, so they stand left of those."""
    top = 1.2 * axes.get_ylim()[1]
    axes.set_ylim(top=top)
    named = [(one.rules.min_confidence, "counts from"), (one.rules.negative_confidence, "weak is wrong from")]
    for row, (value, meaning) in enumerate(named):
        axes.axvline(value - step / 2, color=LIGHT["ink"], linestyle="--", linewidth=1.3)
        axes.annotate(
            f"{meaning} {value:g} ",
            (value - step / 2, top * (0.99 - 0.07 * row)),
            ha="right",
            va="top",
            fontsize=10,
        )


def _agreement_said(iterations: Sequence[Iteration]) -> str:
    said = []
    for one in iterations:
        counts = one.agreement
        clean = counts.weak_kept.share
        purity = "" if clean is None else f", {percent(clean)} of them right"
        said.append(
            f"iteration {one.iteration}, seed {one.seed}: {counts.kept} of {counts.questions} kept{purity}"
        )
    return "; ".join(said) + "."


def _confidence_said(places: list[float], right: dict[float, float], wrong: dict[float, float]) -> str:
    said = [f"{place:g}: {right[place] + wrong[place]:.0f}, {right[place]:.0f} right" for place in places]
    return f"Questions by confidence, mean over seeds. {'; '.join(said)}."
