"""Which questions the weak model got wrong and the final one right, and the reverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.experiment.reporting.models import FLOOR, find, m_plus_of
from w2s_factory.records import RESULT, Result, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.experiment.reporting.models import Model
    from w2s_factory.experiment.reporting.runs import Run
    from w2s_factory.records import Id

_EXAMPLES = 3


@dataclass(frozen=True)
class Example:
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
    gained_examples: list[Example]
    lost_examples: list[Example]


def changes(run: Run, models: Sequence[Model]) -> Changes | None:
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

    def examples(row: Sequence[bool]) -> list[Example]:
        names = [name for name, is_one in zip(final.strict.questions, row, strict=True) if is_one]
        return [Example(weak_rows[name], final_rows[name]) for name in names[:_EXAMPLES]]

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
