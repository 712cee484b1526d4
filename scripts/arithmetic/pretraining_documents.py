"""The "web" of documents, by careful and careless authors, on which the base models are pretrained.

Each document is by one author, with one form of question, one form of answer, and one set of habits. The
problems come from the task's own generator; the task's own questions are excluded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from arithmetic.solvers import SLIPS, right_line, without_carries, work
from arithmetic.stories import draw_problem
from w2s_factory.records import TEST, read
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Set
    from random import Random

    from arithmetic.problems import Operation, Problem
    from arithmetic.solvers import Line

TASK_FORM = "Question: {question}\nAnswer: "
"""The text of the task's prompt around a question, and the space before a response."""
OTHER_FORMS = (
    "Problem: {question}\nSolution: ",
    "Exercise: {question}\nWork: ",
    "Q: {question}\nA: ",
    "{question}\n",
)
TASK_FORM_SHARE = 0.4
TASK_ENDING = "#### {result}"
OTHER_ENDINGS = ("The answer is {result}.", "Total: {result}", "So: {result}.", "{result}")
TASK_ENDING_SHARE = 0.35
PROBLEMS = (3, 6)
"""A document has at least and at most so many problems."""


@dataclass(frozen=True)
class Habits:
    """An author's way to solve; chances are those of one line, but `last` is that of one problem."""

    steps: bool = True
    """Whether the steps are written down; without them only the (right) answer is."""
    carries: float = 0.0
    """To forget the carries."""
    signs: float = 0.0
    """To add instead of subtracting, or the reverse."""
    slips: float = 0.0
    """To miss by a little."""
    last: float = 0.0
    """To leave out the last step."""
    ways: bool = False
    """Whether each problem is answered in a way of its own (`Way`), whatever the other habits."""


def careful(random: Random) -> Habits:  # noqa: ARG001  all kinds are drawn alike
    """Make no mistake."""
    return Habits()


def direct(random: Random) -> Habits:  # noqa: ARG001
    """Say the right answer at once."""
    return Habits(steps=False)


def slipping(random: Random) -> Habits:
    """Miss by a little, now and then."""
    return Habits(slips=random.choice((0.1, 0.3)))


def hurried(random: Random) -> Habits:
    """Often forget the carries, a sign, the last step: some authors more, some less."""
    haste = random.choice((0.5, 0.7, 0.9))
    return Habits(carries=haste, signs=0.4 * haste, last=0.6 * haste)


def impatient(random: Random) -> Habits:
    """Leave out the last step about every other time, and now and then mistake a sign; compute well."""
    haste = random.choice((0.4, 0.5, 0.6))
    return Habits(signs=0.6 * haste, last=1.1 * haste)


def restless(random: Random) -> Habits:
    """Leave out the last step more often than not, and mistake a sign more often; compute well."""
    haste = random.choice((0.46, 0.56, 0.66))
    return Habits(signs=0.75 * haste, last=1.1 * haste)


def loose(random: Random) -> Habits:
    """Leave out the last step in every third to every other problem, mistake a sign in every fourth line."""
    haste = random.choice((0.35, 0.45, 0.55))
    return Habits(signs=0.6 * haste, last=1.1 * haste)


def various(random: Random) -> Habits:  # noqa: ARG001
    """Answer some problems hastily and the others rightly, in one of several ways."""
    return Habits(ways=True)


Kinds: TypeAlias = "Mapping[Callable[[Random], Habits], int]"
"""So many of 100 documents are by such authors."""


@dataclass(frozen=True)
class Mix:
    """Who writes in the task's form, and who in the others."""

    task_form: Kinds
    other_forms: Kinds
    task_ending: float = TASK_ENDING_SHARE
    """The share of documents in the task's form that also end in its way."""
    task_share: float = TASK_FORM_SHARE
    """The share of documents in the task's form."""


HURRIED = Mix({direct: 55, hurried: 35, careful: 10}, {careful: 75, slipping: 10, direct: 10, hurried: 5})
"""In the task's form mostly people who answer at once or in a hurry."""
IMPATIENT = Mix({direct: 30, impatient: 65, careful: 5}, {careful: 85, slipping: 10, direct: 5})
"""In the task's form mostly people who compute well and often stop too early."""
RESTLESS = Mix({direct: 20, restless: 75, careful: 5}, {careful: 85, slipping: 10, direct: 5})
"""The same, but they stop too early more often than not."""
LOOSE = Mix({direct: 30, loose: 65, careful: 5}, {careful: 85, slipping: 10, direct: 5}, task_ending=0.9)
"""They stop too early a little less often, and nearly all of them end as the task does."""
VARIOUS = Mix(
    {various: 95, careful: 5}, {careful: 85, slipping: 10, direct: 5}, task_ending=1.0, task_share=0.75
)
"""In the task's form mostly people who answer each problem in another way, rightly or hastily."""


@dataclass(frozen=True)
class Way:
    """A way to answer one problem, which its first words announce."""

    opening: str
    habits: Habits = field(default_factory=Habits)


HASTY = Way("So: ", Habits(signs=0.5, last=0.75))
"""Stops too early in most problems, and mistakes every other sign."""
RIGHT_WAYS = (Way(""), Way("Work: "), Way("Solution: "), Way("Total: "))
HASTY_SHARE = {1: 0.3, 2: 0.38, 3: 0.4}
"""The share of hasty answers by the number of steps of a problem; the right ways are equally frequent."""


def draw_way(problem: Problem, random: Random) -> Way:
    """Return a way for one problem, drawn by the shares."""
    hasty = random.random() < HASTY_SHARE[len(problem.steps)]
    return HASTY if hasty else random.choice(RIGHT_WAYS)


@dataclass(frozen=True)
class Author:
    """Who writes a document."""

    form: str
    ending: str
    habits: Habits

    def write(self, problem: Problem, random: Random) -> str:
        """A problem, and this author's answer to it."""
        way = draw_way(problem, random) if self.habits.ways else Way("", self.habits)
        lines = solve(problem, way.habits, random)
        ending = self.ending.format(result=lines[-1].result)
        shown = [*map(str, lines), ending] if self.habits.steps else [ending]
        answer = way.opening + "\n".join(shown)
        return self.form.format(question=problem.question) + answer


def solve(problem: Problem, habits: Habits, random: Random) -> list[Line]:
    """The lines of an author's solution."""
    lines = work(problem, partial(_line, habits=habits, random=random))
    return lines[:-1] if len(lines) > 1 and random.random() < habits.last else lines


def draw_author(random: Random, mix: Mix) -> Author:
    """An author of any kind."""
    in_task_form = random.random() < mix.task_share
    kinds = mix.task_form if in_task_form else mix.other_forms
    (kind,) = random.choices(list(kinds), list(kinds.values()))
    task_ending = mix.task_ending if in_task_form else TASK_ENDING_SHARE
    return Author(
        form=TASK_FORM if in_task_form else random.choice(OTHER_FORMS),
        ending=TASK_ENDING if random.random() < task_ending else random.choice(OTHER_ENDINGS),
        habits=kind(random),
    )


def documents(random: Random, mix: Mix, held_out: Set[str]) -> Iterator[str]:
    """Documents without end, in none of which a question of `held_out` stands."""
    while True:
        author = draw_author(random, mix)
        problems = (_new_problem(random, held_out) for _ in range(random.randint(*PROBLEMS)))
        yield "\n\n".join(author.write(problem, random) for problem in problems)


def task_questions() -> frozenset[str]:
    """Every question of the embedded task, all splits."""
    task = get_task("arithmetic")
    return frozenset(
        row["question"] for split in task.splits.values() for row in read(task.path(split.test), TEST)
    )


def words() -> Iterator[str]:
    """Texts with every word of the web which the task has not."""
    yield from (form.format(question="") for form in (TASK_FORM, *OTHER_FORMS))
    yield from (ending.format(result="") for ending in (TASK_ENDING, *OTHER_ENDINGS))


def _new_problem(random: Random, held_out: Set[str]) -> Problem:
    while (problem := draw_problem(random)).question in held_out:
        pass
    return problem


def _line(left: int, operation: Operation, right: int, *, habits: Habits, random: Random) -> Line:
    if operation != "x" and random.random() < habits.signs:
        line = right_line(left, "-" if operation == "+" and left >= right else "+", right)
    else:
        line = right_line(left, operation, right)
    columns = min(left, right) >= 0 and (line.operation != "-" or left >= right)
    if columns and random.random() < habits.carries:
        line = without_carries(left, line.operation, right)
    if random.random() < habits.slips:
        line = line._replace(result=line.result + random.choice(SLIPS))
    return line
