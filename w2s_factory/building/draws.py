"""Which responses of a question become pairs: the published random draws (release, Stage II)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import random

    from w2s_factory.records import Sample

ItemT = TypeVar("ItemT")


def draw_rejected(minority: list[Sample], most: int, generator: random.Random) -> list[Sample]:
    """The minority responses set against a weak response that is right.

    A single pair is always drawn, even from a pool of one: that moves the generator on, and every later
    draw depends on it. For several pairs a pool no larger than asked is taken whole, undrawn.
    """
    if most > 1 and len(minority) <= most:
        return minority
    return generator.sample(minority, most)


def draw_chosen(majority: list[Sample], most: int, generator: random.Random) -> list[Sample]:
    """The majority responses set against a weak response that is wrong.

    One is drawn; the others follow in the order of their seeds where their text differs from the drawn
    one (not from each other: the published sets hold such duplicates), until there are `most`.
    """
    first = generator.sample(majority, 1)[0]
    others = [sample for sample in majority if sample["response"] != first["response"]]
    return [first, *others[: most - 1]]
