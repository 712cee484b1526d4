"""Comparisons of models on the same questions: differences of accuracy, and changed verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from w2s_factory.experiment.report.models import (
    CEILING,
    FLOOR,
    FULL_WEAK,
    WEAK_ICL,
    ZERO_SHOT,
    common_seeds,
    control_of,
    difference,
    find,
    hybrids,
    m_plus_of,
)
from w2s_factory.records import RESULT, Result, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.experiment.report.models import ReportedModel
    from w2s_factory.records import Id
    from w2s_factory.scoring.metrics import Difference

Verdict: TypeAlias = Literal["higher", "lower", "not told apart"]
"""The verdict of a comparison, as `comparisons.csv` holds it."""
ANY_FORMAT = "any_format"


@dataclass(frozen=True)
class ModelComparison:
    """A comparison of a model with another.

    Attributes:
        model: The model.
        against: The other model.
        any_format: Whether answers of the other model count in any format.
        difference: The model's accuracy minus the other's, with its 95 % interval.
        seeds: The number of seeds of the comparison.
    """

    model: ReportedModel
    against: ReportedModel
    any_format: bool
    difference: Difference
    seeds: int

    @property
    def verdict(self) -> Verdict:
        """Return what the interval shows: it is above zero, below zero, or holds zero."""
        if self.difference.low > 0:
            return "higher"
        return "lower" if self.difference.high < 0 else "not told apart"

    @property
    def gain(self) -> bool:
        """Return whether the whole interval is above zero."""
        return self.verdict == "higher"

    @property
    def reference(self) -> str:
        """Return the other model's label, with the format that counts."""
        return f"{self.against.label}, any format" if self.any_format else self.against.label


def comparisons(models: Sequence[ReportedModel]) -> list[ModelComparison]:
    """Return all comparisons of a report: M_plus with each baseline, Stage II with M_plus and its control.

    As long as M_plus is not evaluated, the last evaluated hybrid is compared with the baselines instead.
    """
    found = (*_of_stage1(models), *_of_stage2(models))
    return [comparison for comparison in found if comparison is not None]


def compare(
    model: ReportedModel, against: ReportedModel, *, any_format: bool = False
) -> ModelComparison | None:
    """Compare a model with another on the seeds that both have.

    Returns None if they answered different questions or have no seed in common.
    """
    other = (against.any_format if any_format else None) or against.strict
    seeds = common_seeds(model.strict, other)
    if not seeds or set(model.strict.questions) != set(other.questions):
        return None
    order = [other.questions.index(name) for name in model.strict.questions]
    gained = difference(other.of(seeds)[:, order], model.strict.of(seeds))
    return ModelComparison(model, against, any_format, gained, len(seeds))


def _of_stage1(models: Sequence[ReportedModel]) -> Iterator[ModelComparison | None]:
    last = hybrids(models)[-1:]
    for final in last:
        for key in (FLOOR, ZERO_SHOT, FULL_WEAK, WEAK_ICL):
            if against := find(models, key):
                yield compare(final, against)
                if key == ZERO_SHOT and against.any_format:
                    yield compare(final, against, any_format=True)
        for other in models:
            if other.stage == "stage1" and other.key != final.key and _is_close(other, final):
                yield compare(final, other)
        if ceiling := find(models, CEILING):
            yield compare(final, ceiling)


def _is_close(other: ReportedModel, final: ReportedModel) -> bool:
    """Return whether a model is of another set of the same iteration, or the hybrid of the previous one."""
    earlier = other.key.endswith("hybrid_ft")
    return (other.iteration or 0) == (final.iteration or 0) - earlier


def _of_stage2(models: Sequence[ReportedModel]) -> Iterator[ModelComparison | None]:
    m_plus = m_plus_of(models)
    for model in models:
        if model.stage == "stage2":
            yield compare(model, m_plus) if m_plus else None
            if control := control_of(models, model):
                yield compare(model, control)


_EXAMPLES = 3


@dataclass(frozen=True)
class ChangedAnswer:
    """The results of both models on one question."""

    weak: Result
    final: Result


@dataclass(frozen=True)
class Changes:
    """The questions on which the verdicts of the weak and the final model agree or differ.

    Attributes:
        final: The final model's label.
        seeds: The seeds, in the order of the counts.
        gained: The number of questions that only the final model answered correctly, by seed.
        lost: The number that only the weak model answered correctly, by seed.
        both: The number that both answered correctly, by seed.
        neither: The number that neither answered correctly, by seed.
        example_seed: The seed of the examples.
        gained_examples: The first gained questions, in the order of the final model's results.
        lost_examples: The first lost questions.
    """

    final: str
    seeds: list[int]
    gained: list[int]
    lost: list[int]
    both: list[int]
    neither: list[int]
    example_seed: int
    gained_examples: list[ChangedAnswer]
    lost_examples: list[ChangedAnswer]


def changes(run: Run, models: Sequence[ReportedModel]) -> Changes | None:
    """Return the changes from the weak floor to M_plus; None if one is missing or they cannot be paired."""
    floor, final = find(models, FLOOR), m_plus_of(models)
    if floor is None or final is None or set(floor.strict.questions) != set(final.strict.questions):
        return None
    weak_seeds = final.strict.seeds if floor.strict.once else floor.strict.seeds
    seeds = [seed for seed in final.strict.seeds if seed in weak_seeds]
    if not seeds:
        return None
    order = [floor.strict.questions.index(name) for name in final.strict.questions]
    weak, strong = floor.strict.of(seeds)[:, order], final.strict.of(seeds)
    weak_rows, final_rows = _rows(run, floor.key, seeds[0]), _rows(run, final.key, seeds[0])
    gained, lost = ~weak & strong, weak & ~strong

    def examples(row: Sequence[bool]) -> list[ChangedAnswer]:
        names = [name for name, chosen in zip(final.strict.questions, row, strict=True) if chosen]
        return [ChangedAnswer(weak_rows[name], final_rows[name]) for name in names[:_EXAMPLES]]

    return Changes(
        final=final.label,
        seeds=seeds,
        gained=gained.sum(axis=1).tolist(),
        lost=lost.sum(axis=1).tolist(),
        both=(weak & strong).sum(axis=1).tolist(),
        neither=(~weak & ~strong).sum(axis=1).tolist(),
        example_seed=seeds[0],
        gained_examples=examples(gained[0].tolist()),
        lost_examples=examples(lost[0].tolist()),
    )


def _rows(run: Run, key: str, seed: int) -> dict[Id, Result]:
    """Return the results of a model for a seed, or of its only repetition, by id."""
    there = [model for model in run.contents.models if model.key == key and run.has(model.results)]
    chosen = next((model for model in there if model.seed == seed), there[0])
    return {row["id"]: row for row in read(run.at(chosen.results), RESULT)}
