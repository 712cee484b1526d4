"""Comparisons of models on the same questions: which is better, and which questions changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from w2s_factory.experiment.report import models as models_module
from w2s_factory.experiment.report.models import (
    CEILING,
    CONTROL,
    FLOOR,
    FULL_WEAK,
    WEAK_ICL,
    ZERO_SHOT,
    common_seeds,
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
ANY_FORMAT = "any_format"


@dataclass(frozen=True)
class ModelComparison:
    """A model held against another.

    Attributes:
        model: The one in question.
        against: What it is held against.
        any_format: Whether the other's answers count in any format.
        difference: Its accuracy less the other's, with the 95 % interval.
        seeds: On how many seeds.
    """

    model: ReportedModel
    against: ReportedModel
    any_format: bool
    difference: Difference
    seeds: int

    @property
    def verdict(self) -> Verdict:
        """What the interval allows to say."""
        if self.difference.low > 0:
            return "higher"
        return "lower" if self.difference.high < 0 else "not told apart"

    @property
    def gain(self) -> bool:
        """Whether the model is better than the other, as far as the interval goes."""
        return self.verdict == "higher"

    @property
    def reference(self) -> str:
        """The other's label, with the format that counts."""
        return f"{self.against.label}, any format" if self.any_format else self.against.label


def comparisons(models: Sequence[ReportedModel]) -> list[ModelComparison]:
    """All that a report compares: M_plus with each baseline, Stage II with M_plus and with its control.

    While M_plus is not evaluated, the last hybrid that is takes its place beside the baselines.
    """
    return [one for one in (*_of_stage1(models), *_of_stage2(models)) if one is not None]


def compare(
    model: ReportedModel, against: ReportedModel, *, any_format: bool = False
) -> ModelComparison | None:
    """A model held against another on the seeds both have.

    None where they answered different questions or have no seed in common: there is no difference then.
    """
    other = (against.any_format if any_format else None) or against.strict
    seeds = common_seeds(model.strict, other)
    if not seeds or set(model.strict.questions) != set(other.questions):
        return None
    order = [other.questions.index(name) for name in model.strict.questions]
    difference = models_module.difference(other.of(seeds)[:, order], model.strict.of(seeds))
    return ModelComparison(model, against, any_format, difference, len(seeds))


def _of_stage1(models: Sequence[ReportedModel]) -> Iterator[ModelComparison | None]:
    last = hybrids(models)[-1:]
    for final in last:
        for key in (FLOOR, ZERO_SHOT, FULL_WEAK, WEAK_ICL):
            if against := find(models, key):
                yield compare(final, against)
                if key == ZERO_SHOT and against.any_format:
                    yield compare(final, against, any_format=True)
        for other in models:
            if other.stage == "stage1" and other.key != final.key and _belongs_beside(other, final):
                yield compare(final, other)
        if ceiling := find(models, CEILING):
            yield compare(final, ceiling)


def _belongs_beside(other: ReportedModel, final: ReportedModel) -> bool:
    """The other sets of the same iteration, and the hybrid of the one before."""
    earlier = other.key.endswith("hybrid_ft")
    return (other.iteration or 0) == (final.iteration or 0) - earlier


def _of_stage2(models: Sequence[ReportedModel]) -> Iterator[ModelComparison | None]:
    control = find(models, CONTROL)
    m_plus = m_plus_of(models)
    for model in models:
        if model.stage == "stage2":
            yield compare(model, m_plus) if m_plus else None
            if control and model.key != CONTROL:
                yield compare(model, control)


_EXAMPLES = 3


@dataclass(frozen=True)
class ChangedAnswer:
    """A question with both responses."""

    weak: Result
    final: Result


@dataclass(frozen=True)
class Changes:
    """The weak model's verdicts against the final model's.

    Attributes:
        final: The final model's label.
        seeds: The seeds of the counts, in their order.
        gained: For each seed, questions only the final model got right.
        lost: For each seed, questions only the weak model got right.
        both: For each seed, questions both got right.
        neither: For each seed, questions neither got right.
        example_seed: The seed of the examples.
        gained_examples: The first of the gained ones, in the order of the final model's results.
        lost_examples: The first of the lost ones.
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
    """What changed from the weak floor to M_plus; None where either is missing or they can't be paired."""
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
        names = [name for name, is_one in zip(final.strict.questions, row, strict=True) if is_one]
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
    """The results of a model for a seed, or of its one repetition."""
    named = [one for one in run.contents.models if one.key == key and run.has(one.results)]
    one = next((one for one in named if one.seed == seed), named[0])
    return {row["id"]: row for row in read(run.at(one.results), RESULT)}
