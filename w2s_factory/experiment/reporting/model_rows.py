"""The table of models as a reader sees it, and the few numbers on top of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from w2s_factory.experiment.reporting.models import (
    CEILING,
    CONTROL,
    FLOOR,
    WEAK_ICL,
    find,
    gap_recovered,
    hybrids,
)
from w2s_factory.experiment.reporting.words import percent, percent_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.experiment.reporting.findings import Findings
    from w2s_factory.experiment.reporting.models import Model

_GROUPS: Final = {"baseline": "Baselines", "stage1": "Stage I", "stage2": "Stage II", CEILING: "Ceiling"}
_NO_PAPER: Final[dict[str, Any]] = {"accuracy": None, "pgr": None, "pass_at_10": None, "source": None}


def model_rows(found: Findings) -> list[dict[str, Any]]:
    """A row for each model: by group, then as in the run's contents."""
    paper = {row["paper"]: row for row in found.paper}
    return [_row(model, found.models, paper) for model in found.models]


def tiles(found: Findings) -> list[dict[str, str]]:
    """The few numbers on top: floor, weak ICL, M_plus, Stage II, ceiling, and the gap recovered."""
    models = found.models
    stage2 = [model for model in models if model.stage == "stage2" and model.key != CONTROL]
    shown = [
        find(models, FLOOR),
        find(models, WEAK_ICL),
        *hybrids(models)[-1:],
        *stage2,
        find(models, CEILING),
    ]
    made = [
        {
            "label": model.label,
            "number": percent(model.accuracy.value),
            "beside": percent_interval(model.accuracy),
        }
        for model in shown
        if model
    ]
    for final in hybrids(models)[-1:]:
        recovered = gap_recovered(models, final.accuracy.value)
        if recovered is not None:
            made.append({"label": "PGR", "number": f"{recovered:.2f}", "beside": final.label})
    return made


def _row(model: Model, models: Sequence[Model], paper: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    group = CEILING if model.key == CEILING else model.stage
    published = _published(model, models, paper)
    sampled = model.sampled
    return {
        "label": model.label,
        "place": list(_GROUPS).index(group),
        "group": _GROUPS[group],
        "main": model in hybrids(models)[-1:],
        "accuracy": model.accuracy.value,
        "interval": percent_interval(model.accuracy),
        "each": ", ".join(f"{share * 100:.1f}" for share in model.strict.by_seed().values()),
        "any_format": float(model.any_format.right.mean()) if model.any_format else None,
        "passed": percent(sampled.passed) if sampled else "",
        "majority": percent(sampled.majority) if sampled else "",
        "pgr_said": _gap_said(model, models),
        **{f"paper_{name}": published[name] for name in _NO_PAPER},
    }


def _published(model: Model, models: Sequence[Model], paper: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The paper's number for the same model; OlympicArena's last hybrid is only called M_plus."""
    if model.key not in paper and "m_plus" in paper and model in hybrids(models)[-1:]:
        return paper["m_plus"]
    return paper.get(model.key, _NO_PAPER)


def _gap_said(model: Model, models: Sequence[Model]) -> str:
    if find(models, CEILING) is None:
        return "no ceiling"
    recovered = gap_recovered(models, model.accuracy.value)
    return "no gap" if recovered is None else f"{recovered:.2f}"
