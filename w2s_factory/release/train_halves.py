"""How training rows are split into the weak model's half (1) and the questions put to it (2)."""

from __future__ import annotations

import random

SEED = 42
"""The release's, for everything it draws."""

GSM8K_ROWS = 7473
"""The training rows of GSM8K: half 2 is 3,737 of them, half 1 the other 3,736."""


def halves(count: int, seed: int = SEED) -> dict[int, list[int]]:
    """The release's split of a number of rows, by their numbers.

    Row numbers 0 to `count` - 1, shuffled, then split; of an odd count half 2 has one more.
    """
    numbers = list(range(count))
    random.Random(seed).shuffle(numbers)
    middle = (count + 1) // 2
    return {1: sorted(numbers[middle:]), 2: sorted(numbers[:middle])}
