"""The plan as a table: step, reads, writes, resources."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.experiment.workflow import resources_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.experiment.planning import Plan
    from w2s_factory.experiment.steps import Step

_COLUMNS = ("step", "reads", "writes", "resources")
_NAMED = 4
"""Files named of a step; of more, the first and how many others."""


def as_table(plan: Plan) -> str:
    """Every step in order, a file a line, and how many steps of which kind."""
    rows = [row for step in plan.steps for row in _rows(step)]
    widths = [max(len(row[column]) for row in [_COLUMNS, *rows]) for column in range(len(_COLUMNS))]
    lines = [_line(row, widths) for row in [_COLUMNS, *rows]]
    kinds = Counter(step.kind for step in plan.steps)
    counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], "", f"{len(plan.steps):,} steps: {counted}"])


def _rows(step: Step) -> list[tuple[str, str, str, str]]:
    reads, writes = _named(step.reads), _named(step.writes)
    height = max(len(reads), len(writes))
    first = [step.name, *[""] * (height - 1)]
    last = [_needs(step), *[""] * (height - 1)]
    padded = [[*column, *[""] * (height - len(column))] for column in (reads, writes)]
    return list(zip(first, *padded, last, strict=True))


def _named(files: Sequence[str]) -> list[str]:
    if len(files) <= _NAMED:
        return list(files)
    return [files[0], f"and {len(files) - 1:,} more"]


def _needs(step: Step) -> str:
    threads = f"{step.need.threads} thread" + "s" * (step.need.threads != 1)
    return ", ".join([threads, *(f"{name} {value}" for name, value in resources_of(step.need).items())])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
