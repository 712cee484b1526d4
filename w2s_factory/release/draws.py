"""What the release drew at random and did not write into a file: the demonstrations of weak ICL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.errors import W2SError
from w2s_factory.generating import pick_demonstrations
from w2s_factory.release.checking import (
    DIFFERENT,
    NOT_CHECKED,
    NOT_REPRODUCIBLE,
    REPRODUCED,
    Checked,
)
from w2s_factory.release.recipes import full_weak_path, results_path
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from pathlib import Path

BY_HAND = "picked by hand: no draw of the release's sampler gives it"


@dataclass(frozen=True)
class DemonstrationSet:
    """Demonstrations the release names.

    Attributes:
        task: Whose train_2 they are from.
        weak: The weak model whose responses were drawn from; that of the set's name if it was no draw.
        label: Which set it is.
        ids: The rows, in order.
        seed: Of the draw; None if it was none.
        correct_only: Whether it was drawn from the right responses.
    """

    task: str
    weak: str
    label: str
    ids: tuple[int, ...]
    seed: int | None = None
    correct_only: bool = False


DEMONSTRATIONS = (
    DemonstrationSet("gsm8k", "llama2_7b", "llama2_7b and mistral_7b", (2619, 456, 102, 3037)),
    DemonstrationSet("gsm8k", "gemma_2b", "gemma_2b, random (used)", (3401, 173, 354, 6272), 42),
    DemonstrationSet("gsm8k", "gemma_2b", "gemma_2b, careful", (2619, 102, 3037, 1126)),
    DemonstrationSet(
        "gsm8k", "gemma_2b", "gemma_2b, random correct", (4071, 6058, 650, 4889), 24, correct_only=True
    ),
    DemonstrationSet("math", "llama2_7b", "llama2_7b", (883, 4166, 1433, 3722), 24),
    DemonstrationSet("math", "gemma_2b", "gemma_2b and mistral_7b", (4162, 5457, 5178, 5737), 42),
)


def check_draws(root: Path, intact: frozenset[str]) -> list[Checked]:
    """Draw each set of demonstrations again."""
    return [_check(root, one, intact) for one in DEMONSTRATIONS]


def _check(root: Path, wanted: DemonstrationSet, intact: frozenset[str]) -> Checked:
    name = f"demonstrations {wanted.task} {wanted.label}"
    if wanted.seed is None:
        return Checked(name, NOT_REPRODUCIBLE, reason=BY_HAND)
    path = (results_path if wanted.correct_only else full_weak_path)(wanted.task, wanted.weak)
    if path not in intact:
        return Checked(name, NOT_CHECKED, (path,), reason=f"{path} is not in this tree as published")
    try:
        drawn = pick_demonstrations(
            get_task(wanted.task), root / path, seed=wanted.seed, correct_only=wanted.correct_only
        )
    except W2SError as error:
        return Checked(name, DIFFERENT, (path,), difference=str(error))
    ids = tuple(row["id"] for row in drawn)
    if ids != wanted.ids:
        return Checked(name, DIFFERENT, (path,), difference=f"drawn {ids}, published {wanted.ids}")
    return Checked(name, REPRODUCED, (path,))
