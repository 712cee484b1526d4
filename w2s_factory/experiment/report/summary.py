"""The result in one sentence: whether weak supervision improved the strong model, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from w2s_factory.experiment.report.comparisons import compare
from w2s_factory.experiment.report.models import (
    CEILING,
    FLOOR,
    FULL_WEAK,
    WEAK_ICL,
    ZERO_SHOT,
    common_seeds,
    control_of,
    find,
    gap_recovered,
    hybrids,
)
from w2s_factory.experiment.report.wording import (
    joined,
    percent,
    percent_interval,
    points,
    points_interval,
    ratio,
)
from w2s_factory.experiment.run_contents import CONTROL, SELF_TRAINING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.experiment.report.comparisons import ModelComparison
    from w2s_factory.experiment.report.models import ReportedModel

NO_GAIN = "no gain here"

_NAMES: Final = {
    FULL_WEAK: "full weak fine-tuning",
    WEAK_ICL: "weak ICL",
    ZERO_SHOT: "the strong model's zero-shot answers",
    CONTROL: "SFT on the chosen responses",
}


def answer(models: Sequence[ReportedModel]) -> str:
    """Return the result in one sentence, which claims no more than the numbers show."""
    return "; ".join(clauses(models)) + "."


def clauses(models: Sequence[ReportedModel]) -> list[str]:
    """Return the clauses of the sentence: M_plus's accuracy, its comparison with baselines, then Stage II.

    A gain is claimed only if the whole interval of the paired difference is above zero.
    """
    found = hybrids(models)
    if not found:
        return ["There is no answer yet: no hybrid model of Stage I has been evaluated"]
    final = found[-1]
    reached = _reached(final) + _above_floor(final, models) + _recovered(final, models)
    if not final.m_plus:
        return [reached, *_baselines(final, models), "the hybrid of the last iteration is not evaluated yet"]
    return [reached, *_baselines(final, models), *_stage2(final, models)]


def _reached(final: ReportedModel) -> str:
    seeds = len(final.strict.seeds)
    mean = f" (mean of {seeds} seeds)" if seeds > 1 else ""
    return f"{final.label} reached {percent(final.accuracy.value)} {percent_interval(final.accuracy)}{mean}"


def _above_floor(final: ReportedModel, models: Sequence[ReportedModel]) -> str:
    floor = find(models, FLOOR)
    if floor is None:
        return ", with no weak floor to compare it with"
    compared = compare(final, floor)
    if compared is None:
        return f", on other questions or seeds than the weak model ({percent(floor.accuracy.value)})"
    both = floor.strict.of(common_seeds(final.strict, floor.strict))
    against = f"the weak model ({percent(float(both.mean()))})"
    if not compared.gain:
        return f", {NO_GAIN} over {against}: {_points(compared)}"
    return f", {_points(compared, sign=False)} above {against}"


def _recovered(final: ReportedModel, models: Sequence[ReportedModel]) -> str:
    ceiling = find(models, CEILING)
    if ceiling is None:
        return ", with no strong ceiling to compare it with"
    recovered = gap_recovered(models, final)
    at = percent(ceiling.accuracy.value)
    if recovered is None:
        floor = find(models, FLOOR)
        if floor is not None and floor.accuracy.value < ceiling.accuracy.value:
            return f", on other questions or seeds than the strong ceiling ({at})"
        return f", and the strong ceiling ({at}) leaves no gap to recover"
    if recovered < 0:
        return f", recovering nothing of the gap to the strong ceiling ({at}; PGR {ratio(recovered)})"
    return f", recovering {recovered:.0%} of the gap to the strong ceiling ({at})"


def _baselines(final: ReportedModel, models: Sequence[ReportedModel]) -> Iterator[str]:
    found = [model for key in (FULL_WEAK, WEAK_ICL, ZERO_SHOT) if (model := find(models, key))]
    compared = [compare(final, model) for model in found]
    compared += [compare(final, model, any_format=True) for model in found if model.any_format]
    known = [comparison for comparison in compared if comparison is not None]
    beaten = [comparison for comparison in known if comparison.gain]
    rest = [comparison for comparison in known if not comparison.gain]
    if beaten:
        yield f"it beat {joined(_names(beaten))}"
    if rest:
        yield f"{NO_GAIN} over {joined(_names(rest), 'or')}"


def _stage2(final: ReportedModel, models: Sequence[ReportedModel]) -> Iterator[str]:
    for model in models:
        if model.stage != "stage2" or model.is_control:
            continue
        compared = compare(model, final)
        if compared is None:
            continue
        if not compared.gain:
            yield f"{NO_GAIN} from {model.label}: {_points(compared)}"
            continue
        yield f"{model.label} added {_points(compared, sign=False)}{_over_control(models, model)}"


def _over_control(models: Sequence[ReportedModel], model: ReportedModel) -> str:
    control = control_of(models, model)
    if control is None and model.method == SELF_TRAINING:
        return ""
    if control is None:
        return ", without a control to compare it with"
    compared = compare(model, control)
    if compared is None:
        return ", without a control on the same questions"
    over = f"over {_name(compared)} ({_points(compared)})"
    return f", a gain {over} too" if compared.gain else f", but {NO_GAIN} {over}"


def _points(compared: ModelComparison, *, sign: bool = True) -> str:
    value = points(compared.difference.value)
    return f"{value if sign else value.removeprefix('+')} points {points_interval(compared.difference)}"


def _names(compared: Sequence[ModelComparison]) -> list[str]:
    """Return the names of the other models; zero-shot answers in both formats get one name."""
    zero_shot = [comparison for comparison in compared if comparison.against.key == ZERO_SHOT]
    if len(zero_shot) < 2:
        return [_name(comparison) for comparison in compared]
    others = [_name(comparison) for comparison in compared if comparison not in zero_shot]
    return [*others, f"{_NAMES[ZERO_SHOT]}, in the task's format and in any"]


def _name(compared: ModelComparison) -> str:
    """Return the other model's name within a sentence."""
    name = _NAMES[CONTROL if compared.against.is_control else compared.against.key]
    if compared.any_format:
        return f"{name} in any format"
    return f"{name} in the task's format" if compared.against.any_format else name
