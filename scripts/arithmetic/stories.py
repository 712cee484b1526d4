"""The stories: chains, comparisons, money, two groups; each with one to three steps.

They use few words on purpose, so that a word-level tokenizer of about two hundred tokens covers them
all. Things are always in the plural, and people are named again instead of "he" or "she".
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from arithmetic.problems import Earlier, Problem, Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from arithmetic.problems import Operand, Operation


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _words("Ana Ben Dan Eva Ida Jim Kim Leo Max Mia Nina Omar Rosa Sam Tom Zoe")
THINGS = _words("apples balls books cakes cards coins eggs flowers hats pears pens shells stamps stones")
HOLDERS = _words("bags baskets boxes chests jars rooms")
COLOURS = _words("black blue green red white yellow")

CHANGES: dict[Operation, tuple[str, ...]] = {
    "+": ("{name} buys {n} more.", "{name} finds {n} more.", "{name} gets {n} more from {other}."),
    "-": ("{name} loses {n} of them.", "{name} sells {n} of them.", "{name} gives {n} of them to {other}."),
    "x": ("Then {name} has {n} times as many.",),
}
RELATIONS: dict[Operation, str] = {
    "+": "{name} has {n} more {things} than {other}.",
    "-": "{name} has {n} fewer {things} than {other}.",
    "x": "{name} has {n} times as many {things} as {other}.",
}


class Story:
    """A problem under construction: the sentences written and the steps taken so far."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._sentences: list[str] = []
        self._steps: list[Step] = []

    def tell(self, sentence: str) -> None:
        """Add a sentence."""
        self._sentences.append(sentence)

    def step(self, left: Operand, operation: Operation, right: Operand) -> Earlier:
        """Add a step and return its result."""
        self._steps.append(Step(left, operation, right))
        return Earlier(len(self._steps) - 1)

    def amount(self) -> int:
        """A number of things."""
        return self.random.randint(2, 99)

    def few(self) -> int:
        """A number of times or of holders."""
        return self.random.randint(2, 9)

    def operation(self) -> tuple[Operation, int]:
        """Draw a change of an amount: the operation and its number."""
        operation: Operation = self.random.choice(("+", "-", "x"))
        return operation, self.few() if operation == "x" else self.amount()

    def problem(self) -> Problem:
        """The finished problem."""
        return Problem(" ".join(self._sentences), tuple(self._steps))


def chain(story: Story, steps: int) -> None:
    """One person's things, which grow and shrink."""
    name, other = story.random.sample(NAMES, 2)
    things = story.random.choice(THINGS)
    now: Operand = story.amount()
    story.tell(f"{name} has {now} {things}.")
    for _ in range(steps):
        operation, n = story.operation()
        story.tell(story.random.choice(CHANGES[operation]).format(name=name, n=n, other=other))
        now = story.step(now, operation, n)
    story.tell(f"How many {things} does {name} have now?")


def comparison(story: Story, steps: int) -> None:
    """People who have more, fewer, or times as many as the one before; perhaps two of them together."""
    together = steps > 1 and story.random.random() < 0.5
    names = story.random.sample(NAMES, steps + 1 - together)
    things = story.random.choice(THINGS)
    amounts: list[Operand] = [story.amount()]
    story.tell(f"{names[0]} has {amounts[0]} {things}.")
    for other, name in pairwise(names):
        operation, n = story.operation()
        story.tell(RELATIONS[operation].format(name=name, n=n, things=things, other=other))
        amounts.append(story.step(amounts[-1], operation, n))
    if together:
        story.step(amounts[-2], "+", amounts[-1])
        story.tell(f"How many {things} do {names[-2]} and {names[-1]} have together?")
    else:
        story.tell(f"How many {things} does {names[-1]} have?")


def money(story: Story, steps: int) -> None:
    """A purchase: its price, perhaps with something else bought, perhaps out of a purse."""
    name = story.random.choice(NAMES)
    things, others = story.random.sample(THINGS, 2)
    purse = steps == 3 or (steps == 2 and story.random.random() < 0.5)
    has, n, price, extra = story.amount() + story.amount(), story.few(), story.amount(), story.amount()
    paid = story.step(n, "x", price)
    bought = f"{name} buys {n} {things} at {price} dollars each"
    if steps == 3 or (steps == 2 and not purse):
        paid = story.step(paid, "+", extra)
        bought += f" and {others} for {extra} dollars"
    if purse:
        story.step(has, "-", paid)
        story.tell(f"{name} has {has} dollars. {bought}. How many dollars does {name} have left?")
    else:
        story.tell(f"{bought}. How many dollars does {name} pay?")


def two_groups(story: Story, steps: int) -> None:
    """Things in two groups, of a colour each or in equal holders, added or compared."""
    things = story.random.choice(THINGS)
    (first, second), colours = story.random.sample(HOLDERS, 2), story.random.sample(COLOURS, 2)
    if steps == 1:
        left, right = _coloured(story, things, colours)
        more = f"more {colours[0]} {things} than {colours[1]} {things} are there"
    elif steps == 2:
        left, text = _held(story, things, first)
        right = story.amount()
        story.tell(f"There are {text} and {right} {things} on the floor.")
        more = f"more {things} are in the {first} than on the floor"
    else:
        (left, text), (right, others) = _held(story, things, first), _held(story, things, second)
        story.tell(f"There are {text} and {others}.")
        more = f"more {things} are in the {first} than in the {second}"
    compared = story.random.random() < 0.5
    story.step(left, "-" if compared else "+", right)
    story.tell(f"How many {more if compared else f'{things} are there together'}?")


def _coloured(story: Story, things: str, colours: list[str]) -> tuple[Operand, Operand]:
    left, right = story.amount(), story.amount()
    story.tell(f"There are {left} {colours[0]} {things} and {right} {colours[1]} {things}.")
    return left, right


def _held(story: Story, things: str, holders: str) -> tuple[Operand, str]:
    """Return the number of things of several holders with as many each, and the words that say so."""
    n, each = story.few(), story.amount()
    return story.step(n, "x", each), f"{n} {holders} with {each} {things} each"


KINDS: tuple[Callable[[Story, int], None], ...] = (chain, comparison, money, two_groups)


def draw_problem(random: Random) -> Problem:
    """A problem of any kind and length whose numbers all are in range."""
    kind, steps = random.choice(KINDS), random.randint(1, 3)
    while True:
        story = Story(random)
        kind(story, steps)
        problem = story.problem()
        if problem.in_range():
            return problem
