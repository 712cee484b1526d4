"""What agreement keeps of the questions, and how right the answers are that it keeps and drops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.experiment.reporting.figures.drawing import canvas, drawn, percent_axis
from w2s_factory.experiment.reporting.figures.palette import LIGHT
from w2s_factory.experiment.reporting.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.reporting.figures.drawing import Drawing
    from w2s_factory.experiment.reporting.stage1 import Iteration


def agreement_figure(iterations: Sequence[Iteration]) -> Drawing | None:
    """Each iteration and seed: questions kept with a right answer, with a wrong one, and dropped."""
    if not iterations:
        return None
    with canvas(90 + 26 * len(iterations)) as figure:
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


def purity_figure(iterations: Sequence[Iteration]) -> Drawing | None:
    """How right each side is, kept and dropped, by iteration; None where gold is not known."""
    steps = sorted({one.iteration for one in iterations})
    lines = [
        (place, step, label, look, share)
        for place, step in enumerate(steps)
        for label, look, share in _purities([one for one in iterations if one.iteration == step])
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
    """The accuracy of each part, where gold is known: all seeds of an iteration together."""
    orange, teal, green = LIGHT["orange"], LIGHT["teal"], LIGHT["green"]
    parts = [
        ("all weak answers", {"marker": "s", "color": orange}, [one.weak for one in iterations]),
        ("all icl answers", {"marker": "^", "color": teal}, [one.icl for one in iterations]),
        ("kept", {"marker": "o", "color": green}, [one.agreement.weak_kept for one in iterations]),
        (
            "dropped, weak",
            {"marker": "s", "color": orange, "markerfacecolor": "none"},
            [one.agreement.weak_dropped for one in iterations],
        ),
        (
            "dropped, icl",
            {"marker": "^", "color": teal, "markerfacecolor": "none"},
            [one.agreement.icl_dropped for one in iterations],
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
    for one in iterations:
        counts = one.agreement
        clean = counts.weak_kept.share
        purity = "" if clean is None else f", {percent(clean)} of them right"
        said.append(
            f"iteration {one.iteration}, seed {one.seed}: {counts.kept} of {counts.questions} kept{purity}"
        )
    return "; ".join(said) + "."
