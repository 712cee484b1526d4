"""The report as one self-contained HTML page: its table of models, its tiles and its sections."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from w2s_factory.experiment.report import wording
from w2s_factory.experiment.report.figures import palette
from w2s_factory.experiment.report.folder import versions
from w2s_factory.experiment.report.models import (
    CEILING,
    FLOOR,
    WEAK_ICL,
    compared_by_tag,
    find,
    gap_recovered,
    hybrids,
)
from w2s_factory.experiment.report.summary import clauses
from w2s_factory.experiment.report.training_curves import by_kind, findings_of
from w2s_factory.experiment.report.wording import percent, percent_interval, ratio
from w2s_factory.llamafactory.policy_movement import HARDLY_MOVED, SHOWN
from w2s_factory.quantities import PUBLISHED_SAMPLES
from w2s_factory.tasks import get_task
from w2s_factory.tasks.registry import is_task_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.experiment.report.figures.all_figures import Drawings
    from w2s_factory.experiment.report.findings import Findings
    from w2s_factory.experiment.report.models import Group, ReportedModel

_GROUPS: Final = {"baseline": "Baselines", "stage1": "Stage I", "stage2": "Stage II", CEILING: "Ceiling"}
_NO_PAPER: Final[dict[str, Any]] = {"accuracy": None, "pgr": None, "pass_at_10": None}
_COLUMNS: Final = {"any_format": "Any format", "passed": "pass@{k}", "majority": "maj@{k}"}
_PAPER_COLUMNS: Final = {"paper_accuracy": "Accuracy", "paper_pgr": "PGR", "paper_pass_at_10": "pass@10"}
"""The columns of the table of models that are left out if they are empty, with their headings."""


def model_rows(found: Findings) -> list[dict[str, Any]]:
    """Return a row for each model, in the order of the groups and of the run's contents."""
    paper = {row["paper"]: row for row in found.paper}
    said = findings_of(found.trainings)
    return [
        _row(model, found.models, paper) | {"training": said.get(model.key, "")} for model in found.models
    ]


def tiles(found: Findings) -> list[dict[str, str]]:
    """Return the numbers at the top of the page: floor, weak ICL, M_plus, Stage II, ceiling."""
    models = found.models
    stage2 = [model for model in models if model.stage == "stage2" and not model.is_control]
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
            "pgr": "" if model.key in {FLOOR, CEILING} else ratio(gap_recovered(models, model)),
        }
        for model in shown
        if model
    ]


def paper_sources(found: Findings) -> list[str]:
    """Return the sources of the paper's numbers; all but the most common one with the models it holds for."""
    sources = Counter(row["source"] for row in found.paper)
    return [
        f"{source} ({', '.join(row['paper'] for row in found.paper if row['source'] == source)})"
        if number
        else source
        for number, (source, _) in enumerate(sources.most_common())
    ]


def _row(
    model: ReportedModel, models: Sequence[ReportedModel], paper: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    group = CEILING if model.key == CEILING else model.stage
    published = _published(model, paper)
    sampled = model.sampled
    return {
        "label": model.label,
        "place": list(_GROUPS).index(group),
        "group": _GROUPS[group],
        "main": model.m_plus,
        "accuracy": model.accuracy.value,
        "interval": percent_interval(model.accuracy),
        "each": ", ".join(f"{share * 100:.1f}" for share in model.strict.by_seed().values()),
        "any_format": percent(float(model.any_format.right.mean())) if model.any_format else "",
        "passed": percent(sampled.passed) if sampled else "",
        "majority": percent(sampled.majority) if sampled else "",
        "averaged": model.averaged and model.averaged.accuracy,
        "pgr_text": _pgr_text(model, models),
        "paper_accuracy": percent(published["accuracy"]),
        "paper_pgr": ratio(published["pgr"]),
        "paper_pass_at_10": percent(published["pass_at_10"]),
    }


def _published(model: ReportedModel, paper: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the paper's numbers for the same model.

    For OlympicArena it has numbers of M_plus, the last hybrid, and of M_pro, trained on the pairs by ORPO.
    """
    other = "m_plus" if model.m_plus else {"orpo": "m_pro"}.get(model.key, "")
    return paper.get(model.key) or paper.get(other, _NO_PAPER)


def _pgr_text(model: ReportedModel, models: Sequence[ReportedModel]) -> str:
    if find(models, CEILING) is None:
        return "no ceiling"
    recovered = gap_recovered(models, model)
    return "none" if recovered is None else ratio(recovered)


_ONE_SEED = (
    "Intervals are Wilson's, over the questions. The run has one seed, "
    "so they do not cover differences between seeds."
)
_SEVERAL = (
    "Accuracies are means over seeds. Intervals are bootstrapped over questions and seeds together "
    "(for a model with a single repetition: Wilson's, over the questions)."
)


@cache
def templates() -> Environment:
    """Return the templates of the report and of the pages of responses, compiled once in a process."""
    environment = Environment(
        loader=PackageLoader("w2s_factory.experiment.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        name: getattr(wording, name)
        for name in ("percent", "percent_interval", "points", "points_interval", "duration", "ratio")
    }
    return environment


def page(found: Findings, drawings: Drawings, beside: str, responses: str) -> str:
    """Return the HTML of a report.

    Args:
        found: The results of the run.
        drawings: The figures.
        beside: The name of the folder next to the page that holds figures and numbers.
        responses: The name of the folder of all responses; "" if there are none.
    """
    context = _context(found, drawings, beside) | {"responses": responses}
    return templates().get_template("report.html").render(context)


def _filled(headings: Mapping[str, str], rows: Sequence[Mapping[str, Any]], k: int) -> dict[str, str]:
    """Return the headings of the columns in which some row has a text."""
    return {name: text.format(k=k) for name, text in headings.items() if any(row[name] for row in rows)}


def _context(found: Findings, drawings: Drawings, beside: str) -> dict[str, Any]:
    models, rows = found.models, model_rows(found)
    k = next((model.sampled.k for model in models if model.sampled), PUBLISHED_SAMPLES)
    several = any(len(model.strict.seeds) > 1 for model in models)
    return {
        **{name: getattr(found, name) for name in found.__dataclass_fields__},
        "drawings": drawings,
        "beside": beside,
        "palette": palette.style(":root"),
        "clauses": clauses(models),
        "tiles": tiles(found),
        "sections": _sections(found),
        "rows": rows,
        "columns": _filled(_COLUMNS, rows, k),
        "paper_columns": _filled(_PAPER_COLUMNS, rows, k),
        "sources": paper_sources(found),
        "several": several,
        "intervals": _SEVERAL if several else _ONE_SEED,
        "questions": len(models[0].strict.questions) if models else 0,
        "avg_k": next((model.averaged.k for model in models if model.averaged), None),
        "task": get_task(found.contents.task).name
        if is_task_file(found.contents.task)
        else found.contents.task,
        "has_ceiling": find(models, CEILING) is not None,
        "other_questions": _on_other_questions(models),
        "reasons": list(dict.fromkeys(reason for stage2 in found.stage2 for reason in stage2.counts.skipped)),
        "sampling_seeds": sorted({seed for stage2 in found.stage2 for seed in stage2.sources}),
        "trained": sum(model.training is not None for model in found.contents.models),
        "tags": _by_tag(found.groups) if compared_by_tag(models) else {},
        "tag_models": compared_by_tag(models),
        "movement_names": SHOWN,
        "hardly_moved": HARDLY_MOVED,
        "kinds": by_kind(found.timed),
        "versions": versions(found.artefacts),
        "seeded": any("seed" in artefact.line for artefact in found.artefacts),
        "changed": [artefact for artefact in found.artefacts if artefact.state == "changed"],
    }


def _sections(found: Findings) -> list[tuple[str, str]]:
    there = [
        ("models", "All models", found.models),
        ("comparisons", "Comparisons", found.compared),
        ("stage1", "Stage I", found.stage1),
        ("stage2", "Stage II", found.stage2),
        ("tags", "By tag", found.groups and compared_by_tag(found.models)),
        ("changes", "Changes", found.changes),
        ("training", "Training", any(model.training for model in found.contents.models)),
        ("times", "Time", found.timed),
        ("provenance", "Provenance", True),
    ]
    return [(name, title) for name, title, has in there if has]


def _on_other_questions(models: list[ReportedModel]) -> list[ReportedModel]:
    """Return the models that answered other questions than the first model."""
    return [model for model in models if set(model.strict.questions) != set(models[0].strict.questions)]


def _by_tag(groups: list[Group]) -> dict[str, list[Group]]:
    tags: dict[str, list[Group]] = {}
    for group in groups:
        tags.setdefault(group.tag, []).append(group)
    return tags
