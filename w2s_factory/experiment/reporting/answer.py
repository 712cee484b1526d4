"""The answer in one sentence: did weak supervision make the strong model better, and by how much?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.experiment.reporting.comparisons import compare
from w2s_factory.experiment.reporting.models import (
    CEILING,
    CONTROL,
    FLOOR,
    FULL_WEAK,
    WEAK_ICL,
    ZERO_SHOT,
    find,
    gap_recovered,
    hybrids,
)
from w2s_factory.experiment.reporting.words import (
    joined,
    percent,
    percent_interval,
    points,
    points_interval,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.experiment.reporting.comparisons import Comparison
    from w2s_factory.experiment.reporting.models import Model

NO_GAIN = "no gain here"


def answer(models: Sequence[Model]) -> str:
    """What the numbers carry, and no more.

    A gain is claimed only where the whole interval of the paired difference lies above nothing.
    """
    found = hybrids(models)
    if not found:
        return "There is no answer yet: no hybrid model of Stage I has been evaluated."
    final = found[-1]
    clauses = [
        _reached(final) + _above_floor(final, models) + _recovered(final, models),
        *_baselines(final, models),
        *_stage2(final, models),
    ]
    return "; ".join(clauses) + "."


def _reached(final: Model) -> str:
    seeds = len(final.strict.seeds)
    mean = f" (mean of {seeds} seeds)" if seeds > 1 else ""
    return f"{final.label} reached {percent(final.accuracy.value)} {percent_interval(final.accuracy)}{mean}"


def _above_floor(final: Model, models: Sequence[Model]) -> str:
    floor = find(models, FLOOR)
    if floor is None:
        return ", with no weak floor to hold it against"
    against = f"the weak model ({percent(floor.accuracy.value)})"
    compared = compare(final, floor)
    if compared is None:
        return f", on other questions than {against}"
    if not compared.gain:
        return f", {NO_GAIN} over {against}: {_points(compared)}"
    return f", {_points(compared, sign=False)} above {against}"


def _recovered(final: Model, models: Sequence[Model]) -> str:
    ceiling = find(models, CEILING)
    if ceiling is None:
        return ", with no ceiling to hold it against"
    recovered = gap_recovered(models, final.accuracy.value)
    if recovered is None:
        return f", and the strong ceiling ({percent(ceiling.accuracy.value)}) leaves no gap to recover"
    at = percent(ceiling.accuracy.value)
    if recovered < 0:
        return f", recovering nothing of the gap to the strong ceiling ({at}; PGR {recovered:.2f})"
    return f", recovering {recovered:.0%} of the gap to the strong ceiling ({at})"


def _baselines(final: Model, models: Sequence[Model]) -> Iterator[str]:
    found = [model for key in (FULL_WEAK, WEAK_ICL, ZERO_SHOT) if (model := find(models, key))]
    compared = [compare(final, model) for model in found]
    compared += [compare(final, model, any_format=True) for model in found if model.any_format]
    known = [one for one in compared if one is not None]
    beaten = [f"{_lower(one.reference)} ({_points(one)})" for one in known if one.gain]
    rest = [f"{_lower(one.reference)} ({_points(one)})" for one in known if not one.gain]
    if beaten:
        yield f"it beat {joined(beaten)}"
    if rest:
        yield f"{NO_GAIN} over {joined(rest, 'or')}"


def _stage2(final: Model, models: Sequence[Model]) -> Iterator[str]:
    control = find(models, CONTROL)
    for model in models:
        if model.stage != "stage2" or model.key == CONTROL:
            continue
        compared = compare(model, final)
        if compared is None:
            continue
        if not compared.gain:
            yield f"{model.label}: {NO_GAIN} over Stage I ({_points(compared)})"
            continue
        yield f"{model.label} added {_points(compared, sign=False)}{_over_control(model, control)}"


def _over_control(model: Model, control: Model | None) -> str:
    if control is None:
        return ", with no control beside it"
    compared = compare(model, control)
    if compared is None:
        return ", with no control on the same questions"
    over = f"over {_lower(control.label)} ({_points(compared)})"
    return f", a gain {over} too" if compared.gain else f", but {NO_GAIN} {over}"


def _points(compared: Comparison, *, sign: bool = True) -> str:
    value = points(compared.difference.value)
    return f"{value if sign else value.removeprefix('+')} points {points_interval(compared.difference)}"


def _lower(label: str) -> str:
    """A label within a sentence: its first letter small, unless its first word is a name."""
    first, _, _ = label.partition(" ")
    name = first.isupper() or first == "Stage"
    return label if name else label[:1].lower() + label[1:]
