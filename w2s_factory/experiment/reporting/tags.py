"""Accuracy by what the golds say of their questions: level and subject of MATH, say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from w2s_factory.experiment.reporting.intervals import share_right
from w2s_factory.experiment.reporting.models import CEILING, FLOOR, find, hybrids
from w2s_factory.scoring.golds import read_golds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.experiment.reporting.models import Model
    from w2s_factory.experiment.reporting.runs import Run
    from w2s_factory.records import Id
    from w2s_factory.scoring.metrics import Difference

_MOST_VALUES = 12
"""A tag with more values than this names questions, it does not group them (MATH: `unique_id`)."""


@dataclass(frozen=True)
class Group:
    """The questions with one value of a tag, and each model's accuracy on them.

    Attributes:
        tag, value: `level`, `3`.
        questions: How many of them any model answered.
        accuracies: By the model's key.
    """

    tag: str
    value: Any
    questions: int
    accuracies: dict[str, Difference]


def compared_by_tag(models: Sequence[Model]) -> list[Model]:
    """The models that are broken down: floor, M_plus, Stage II, ceiling."""
    stage2 = [model for model in models if model.stage == "stage2"]
    chosen = [find(models, FLOOR), *hybrids(models)[-1:], *stage2, find(models, CEILING)]
    return [model for model in chosen if model is not None]


def groups(run: Run, models: Sequence[Model]) -> list[Group]:
    """The groups of each tag, in the order of their values; empty where the golds have no tags.

    Raises:
        UserError: The golds can't be read.
    """
    if not run.has(run.contents.golds):
        return []
    tags = {name: gold.get("tag", {}) for name, gold in read_golds(run.at(run.contents.golds)).items()}
    names = dict.fromkeys(name for tag in tags.values() for name in tag)
    return [group for name in names for group in _groups(name, tags, compared_by_tag(models))]


def _groups(name: str, tags: dict[Id, dict[str, Any]], models: list[Model]) -> list[Group]:
    values = {tag[name] for tag in tags.values() if isinstance(tag.get(name), (str, int))}
    if not 1 < len(values) <= _MOST_VALUES:
        return []
    members = {
        value: {question for question, tag in tags.items() if tag.get(name) == value} for value in values
    }
    return [_group(name, value, members[value], models) for value in sorted(values, key=_order)]


def _group(name: str, value: Any, members: set[Id], models: list[Model]) -> Group:
    accuracies = {}
    for model in models:
        columns = [place for place, question in enumerate(model.strict.questions) if question in members]
        if columns:
            accuracies[model.key] = share_right(model.strict.right[:, columns])
    answered = members & {question for model in models for question in model.strict.questions}
    return Group(name, value, len(answered), accuracies)


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers by size, then texts."""
    return isinstance(value, str), value
