"""Simulated solvers, a correct one and careless ones: not models, their mistakes are drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from arithmetic.problems import Problem, compute, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arithmetic.problems import Operation

Solver: TypeAlias = Callable[[Problem, Random], str]
"""Writes a response; the lot decides where it errs."""

SLIPS = (-10, -2, -1, 1, 2, 10)
"""By how much a slip misses."""


class Line(NamedTuple):
    """One line of a worked solution."""

    left: int
    operation: Operation
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left} {self.operation} {self.right} = {self.result}."


def right(problem: Problem, random: Random) -> str:  # noqa: ARG001  all solvers are called alike
    """Make no mistake."""
    return written(work(problem, right_line))


def slips_rarely(problem: Problem, random: Random) -> str:
    """Miss the result of one step in eight by a little."""
    return written(work(problem, partial(_slip, random=random, chance=0.125)))


def slips_often(problem: Problem, random: Random) -> str:
    """Miss the result of two steps in five by a little."""
    return written(work(problem, partial(_slip, random=random, chance=0.4)))


def forgets_carries(problem: Problem, random: Random) -> str:  # noqa: ARG001
    """Compute column by column and never carry or borrow."""
    return written(work(problem, without_carries))


def drops_last_step(problem: Problem, random: Random) -> str:  # noqa: ARG001
    """Stop one step early, where there is more than one."""
    lines = work(problem, right_line)
    return written(lines[:-1] or lines)


def confuses_plus_and_minus(problem: Problem, random: Random) -> str:
    """Add instead of subtracting, or the reverse, every other time."""
    return written(work(problem, partial(_confuse, random=random)))


WEAK: Mapping[Solver, int] = {
    right: 14,
    slips_rarely: 14,
    slips_often: 24,
    forgets_carries: 16,
    drops_last_step: 16,
    confuses_plus_and_minus: 16,
}
"""The share in percent of each solver in the simulated weak model, which is right on about half."""

ICL: Mapping[Solver, int] = {
    right: 76,
    slips_rarely: 6,
    slips_often: 3,
    forgets_carries: 5,
    drops_last_step: 5,
    confuses_plus_and_minus: 5,
}
"""The same for the simulated weak ICL: it agrees with the weak model on about half of the questions."""


def answer(problem: Problem, habits: Mapping[Solver, int], random: Random) -> str:
    """A response to a problem by a solver drawn by its weight."""
    (solver,) = random.choices(list(habits), list(habits.values()))
    return solver(problem, random)


def final_answer(response: str) -> str:
    """Return the text after `#### ` in a solver's response."""
    return response.rpartition("#### ")[2]


def work(problem: Problem, line: Callable[[int, Operation, int], Line]) -> list[Line]:
    """The lines of a solution; each step goes on from what the earlier ones gave, right or wrong."""
    lines: list[Line] = []
    for step in problem.steps:
        results = [earlier.result for earlier in lines]
        lines.append(line(value(step.left, results), step.operation, value(step.right, results)))
    return lines


def written(lines: list[Line]) -> str:
    """The lines, and the last one's result as the final answer."""
    return "\n".join([*map(str, lines), f"#### {lines[-1].result}"])


def right_line(left: int, operation: Operation, right: int) -> Line:
    """A line without a mistake."""
    return Line(left, operation, right, compute(left, operation, right))


def _slip(left: int, operation: Operation, right: int, *, random: Random, chance: float) -> Line:
    line = right_line(left, operation, right)
    if random.random() >= chance:
        return line
    return line._replace(result=line.result + random.choice(SLIPS))


def without_carries(left: int, operation: Operation, right: int) -> Line:
    """A line worked out by columns, what is carried forgotten: 17 + 25 = 32, 3 x 17 = 31, 42 - 17 = 35."""
    if operation == "x":  # one factor has a single digit, it multiplies each column of the other
        columns = [(int(digit), min(left, right)) for digit in str(max(left, right))]
    else:
        width = max(len(str(left)), len(str(right)))
        columns = [(int(a), int(b)) for a, b in zip(f"{left:0{width}}", f"{right:0{width}}", strict=True)]
    first, *others = (compute(a, operation, b) for a, b in columns)
    digits = [first if operation != "-" else first % 10, *(other % 10 for other in others)]
    return Line(left, operation, right, int("".join(map(str, digits))))


def _confuse(left: int, operation: Operation, right: int, *, random: Random) -> Line:
    if operation == "x" or random.random() < 0.5:
        return right_line(left, operation, right)
    if operation == "-":
        return right_line(left, "+", right)
    return right_line(max(left, right), "-", min(left, right))
