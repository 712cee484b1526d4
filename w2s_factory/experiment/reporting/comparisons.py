"""Which model is better than which, on the same questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from w2s_factory.experiment.reporting import intervals
from w2s_factory.experiment.reporting.models import (
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.experiment.reporting.models import Model
    from w2s_factory.scoring.metrics import Difference

Verdict: TypeAlias = Literal["higher", "lower", "not told apart"]
ANY_FORMAT = "any_format"


@dataclass(frozen=True)
class Comparison:
    """A model held against another.

    Attributes:
        model: The one in question.
        against: What it is held against.
        any_format: Whether the other's answers count in any format.
        difference: Its accuracy less the other's, with the 95 % interval.
        seeds: On how many seeds.
    """

    model: Model
    against: Model
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


def comparisons(models: Sequence[Model]) -> list[Comparison]:
    """All that a report compares: M_plus with each baseline, Stage II with M_plus and with its control.

    While M_plus is not evaluated, the last hybrid that is takes its place beside the baselines.
    """
    return [one for one in (*_of_stage1(models), *_of_stage2(models)) if one is not None]


def compare(model: Model, against: Model, *, any_format: bool = False) -> Comparison | None:
    """A model held against another on the seeds both have.

    None where they answered different questions or have no seed in common: there is no difference then.
    """
    other = (against.any_format if any_format else None) or against.strict
    seeds = common_seeds(model.strict, other)
    if not seeds or set(model.strict.questions) != set(other.questions):
        return None
    order = [other.questions.index(name) for name in model.strict.questions]
    difference = intervals.difference(other.of(seeds)[:, order], model.strict.of(seeds))
    return Comparison(model, against, any_format, difference, len(seeds))


def _of_stage1(models: Sequence[Model]) -> Iterator[Comparison | None]:
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


def _belongs_beside(other: Model, final: Model) -> bool:
    """The other sets of the same iteration, and the hybrid of the one before."""
    earlier = other.key.endswith("hybrid_ft")
    return (other.iteration or 0) == (final.iteration or 0) - earlier


def _of_stage2(models: Sequence[Model]) -> Iterator[Comparison | None]:
    control = find(models, CONTROL)
    m_plus = m_plus_of(models)
    for model in models:
        if model.stage == "stage2":
            yield compare(model, m_plus) if m_plus else None
            if control and model.key != CONTROL:
                yield compare(model, control)
