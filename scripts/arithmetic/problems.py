"""Word problems: a question, and the steps that answer it."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Literal, TypeAlias

SMALLEST, LARGEST = 1, 199
"""Every number of a problem, given or worked out, lies between these."""

Operation: TypeAlias = Literal["+", "-", "x"]

_COMPUTE = {"+": operator.add, "-": operator.sub, "x": operator.mul}


@dataclass(frozen=True)
class Earlier:
    """The result of an earlier step, by its 0-based place."""

    step: int


Operand: TypeAlias = int | Earlier


@dataclass(frozen=True)
class Step:
    """One computation; its operands are given in the question or worked out before."""

    left: Operand
    operation: Operation
    right: Operand


@dataclass(frozen=True)
class Problem:
    """A question and the steps to its answer; the last step's result is the answer."""

    question: str
    steps: tuple[Step, ...]

    def in_range(self) -> bool:
        """Whether every result lies between `SMALLEST` and `LARGEST`."""
        results: list[int] = []
        for step in self.steps:
            left, right = value(step.left, results), value(step.right, results)
            results.append(compute(left, step.operation, right))
        return all(SMALLEST <= result <= LARGEST for result in results)


def value(operand: Operand, results: list[int]) -> int:
    """An operand's number, given the results so far."""
    return results[operand.step] if isinstance(operand, Earlier) else operand


def compute(left: int, operation: Operation, right: int) -> int:
    """Return the result of one step."""
    return int(_COMPUTE[operation](left, right))
