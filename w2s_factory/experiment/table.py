"""The plan as a list of steps: what each needs, reads, and writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.experiment.workflow import resources_of
from w2s_factory.terminal import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.experiment.planning import Plan
    from w2s_factory.experiment.steps import Step

_NAMED = 4
"""Files named of a step; of more, the first and how many others."""


def as_table(plan: Plan) -> str:
    """Return every step in order with its needs, a file a line, and how many steps there are of which kind.

    No line is longer than 100 columns: a long path goes on in the next one.
    """
    width = max(len(step.name) for step in plan.steps)
    kinds = Counter(step.kind for step in plan.steps)
    counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    lines = [line for step in plan.steps for line in _lines(step, width)]
    return "\n".join([*lines, "", f"{len(plan.steps):,} steps: {counted}"])


def _lines(step: Step, width: int) -> Iterator[str]:
    yield wrapped(f"{step.name:<{width}}  {_needs(step)}", then=" " * 4)
    for title, files in (("reads", step.reads), ("writes", step.writes)):
        for number, file in enumerate(_named(files)):
            yield wrapped(file, first=f"    {title if number == 0 else '':<8}", then=" " * 16)


def _named(files: Sequence[str]) -> list[str]:
    if len(files) <= _NAMED:
        return list(files)
    return [files[0], f"and {len(files) - 1:,} more"]


def _needs(step: Step) -> str:
    threads = f"{step.need.threads} thread" + "s" * (step.need.threads != 1)
    return ", ".join([threads, *(f"{name} {value}" for name, value in resources_of(step.need).items())])
