"""Steps that compare models: each one's answers to the split, greedy and for pass@k."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from w2s_factory.experiment.answering import ANY_FORMAT, answer, has_any_format, sample
from w2s_factory.experiment.contents import Evaluated

if TYPE_CHECKING:
    from w2s_factory.experiment.draft import Draft
    from w2s_factory.experiment.steps import Answerer

Stage: TypeAlias = Literal["baseline", "stage1", "stage2"]


def evaluate(
    draft: Draft,
    key: str,
    label: str,
    who: Answerer,
    *,
    stage: Stage = "baseline",
    iteration: int | None = None,
    demos: str | None = None,
    trained: bool = True,
) -> None:
    """Add the steps of a model's evaluation, and the model to what the report shows."""
    split = draft.experiment.split
    any_format = key == "strong_zero_shot" and has_any_format(draft.task)
    results = Path(answer(draft, who, split, demos=demos, any_format=any_format))
    draft.models.append(
        Evaluated(
            key=key,
            label=label,
            stage=stage,
            iteration=iteration,
            seed=draft.seed,
            results=results,
            any_format=results.with_name(ANY_FORMAT) if any_format else None,
            samples=_samples(draft, key, who, demos),
            training=Path(who.made[-1]).parent if trained and who.made else None,
        )
    )


def _samples(draft: Draft, key: str, who: Answerer, demos: str | None) -> Path | None:
    pass_at = draft.experiment.evaluation.pass_at
    if pass_at is None or (pass_at.models is not None and key not in pass_at.models):
        return None
    split = draft.experiment.split
    return Path(sample(draft, who, split, pass_at.k, pass_at.temperature, demos=demos)[0])
