"""The table of models as a reader sees it, and the few numbers on top of the page."""

from __future__ import annotations

from collections import Counter
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
from w2s_factory.experiment.reporting.words import percent, percent_interval, ratio

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
    """The few numbers on top: floor, weak ICL, M_plus, Stage II, ceiling."""
    models = found.models
    stage2 = [model for model in models if model.stage == "stage2" and model.key != CONTROL]
    shown = [
        find(models, FLOOR),
        find(models, WEAK_ICL),
        *hybrids(models)[-1:],
        *stage2,
        find(models, CEILING),
    ]
    return [
        {
            "label": model.label,
            "number": percent(model.accuracy.value),
            "beside": percent_interval(model.accuracy),
            "pgr": ""
            if model.key in {FLOOR, CEILING}
            else ratio(gap_recovered(models, model.accuracy.value)),
        }
        for model in shown
        if model
    ]


def paper_sources(found: Findings) -> list[str]:
    """Where the paper's numbers were read, with the models each source holds for; the commonest one alone."""
    sources = Counter(row["source"] for row in found.paper)
    return [
        f"{source} ({', '.join(row['paper'] for row in found.paper if row['source'] == source)})"
        if number
        else source
        for number, (source, _) in enumerate(sources.most_common())
    ]


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
    """The paper's number for the same model.

    For OlympicArena it gives M_plus, the last hybrid, and M_pro, trained on the pairs by ORPO.
    """
    names = {"orpo": "m_pro"} | {one.key: "m_plus" for one in hybrids(models)[-1:]}
    other = names.get(model.key, "")
    return paper.get(model.key) or paper.get(other, _NO_PAPER)


def _gap_said(model: Model, models: Sequence[Model]) -> str:
    if find(models, CEILING) is None:
        return "no ceiling"
    recovered = gap_recovered(models, model.accuracy.value)
    return "no gap" if recovered is None else ratio(recovered)
