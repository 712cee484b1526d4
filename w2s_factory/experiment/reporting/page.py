"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from w2s_factory.experiment.reporting import words
from w2s_factory.experiment.reporting.answer import clauses
from w2s_factory.experiment.reporting.figures import palette
from w2s_factory.experiment.reporting.manifests import versions
from w2s_factory.experiment.reporting.model_rows import model_rows, paper_sources, tiles
from w2s_factory.experiment.reporting.models import CEILING, find
from w2s_factory.experiment.reporting.tags import compared_by_tag
from w2s_factory.experiment.reporting.times import by_kind

if TYPE_CHECKING:
    from w2s_factory.experiment.reporting.drawings import Drawings
    from w2s_factory.experiment.reporting.findings import Findings
    from w2s_factory.experiment.reporting.models import Model
    from w2s_factory.experiment.reporting.tags import Group

_ONE_SEED = "Intervals are Wilson's, over the questions; there is one seed, so they say nothing of others."
_SEVERAL = (
    "Accuracies are means over seeds; intervals are bootstrapped over questions and seeds together "
    "(a model with a single repetition: Wilson's, over the questions)."
)


def page(found: Findings, drawings: Drawings, beside: str) -> str:
    """The HTML of a report.

    Args:
        found: What was worked out.
        drawings: The figures.
        beside: The folder beside the page that holds figures and numbers.
    """
    environment = Environment(
        loader=PackageLoader("w2s_factory.experiment.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        name: getattr(words, name)
        for name in ("percent", "percent_interval", "points", "points_interval", "duration", "ratio")
    }
    return environment.get_template("report.html").render(_context(found, drawings, beside))


def _context(found: Findings, drawings: Drawings, beside: str) -> dict[str, Any]:
    models = found.models
    several = any(len(model.strict.seeds) > 1 for model in models)
    return {
        **{name: getattr(found, name) for name in found.__dataclass_fields__},
        "drawings": drawings,
        "beside": beside,
        "palette": palette.style(":root"),
        "clauses": clauses(models),
        "tiles": tiles(found),
        "sections": _sections(found),
        "rows": model_rows(found),
        "sources": paper_sources(found),
        "several": several,
        "intervals_said": _SEVERAL if several else _ONE_SEED,
        "questions": len(models[0].strict.questions) if models else 0,
        "k": next((model.sampled.k for model in models if model.sampled), 10),
        "has_ceiling": find(models, CEILING) is not None,
        "strangers": _strangers(models),
        "sampling_seeds": sorted({seed for one in found.stage2 for seed in one.sources}),
        "trained": sum(model.training is not None for model in found.contents.models),
        "tags": _by_tag(found.groups),
        "tag_models": compared_by_tag(models),
        "kinds": by_kind(found.timed),
        "versions": versions(found.artefacts),
        "changed": [one for one in found.artefacts if one.state == "changed"],
    }


def _sections(found: Findings) -> list[tuple[str, str]]:
    there = [
        ("models", "All models", found.models),
        ("comparisons", "Comparisons", found.compared),
        ("stage1", "Stage I", found.stage1),
        ("stage2", "Stage II", found.stage2),
        ("tags", "By tag", found.groups),
        ("changes", "Changes", found.changes),
        ("training", "Training", any(model.training for model in found.contents.models)),
        ("times", "Time", found.timed),
        ("provenance", "Provenance", True),
    ]
    return [(name, title) for name, title, has in there if has]


def _strangers(models: list[Model]) -> list[Model]:
    """The models that answered other questions than the first."""
    return [model for model in models if set(model.strict.questions) != set(models[0].strict.questions)]


def _by_tag(groups: list[Group]) -> dict[str, list[Group]]:
    tags: dict[str, list[Group]] = {}
    for group in groups:
        tags.setdefault(group.tag, []).append(group)
    return tags
