"""Mistakes in a value of an experiment file that pydantic shall report at their own place inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Mapping


def at(problems: Mapping[tuple[str | int, ...], str | None]) -> None:
    """Refuse a value for what is wrong inside it.

    Args:
        problems: What is wrong in words, by the keys and positions that lead there from the value; None
            where nothing is.

    Raises:
        ValidationError: Something is wrong.
    """
    details = [
        InitErrorDetails(
            type=PydanticCustomError("mistake", "{problem}", {"problem": problem}), loc=place, input=None
        )
        for place, problem in problems.items()
        if problem is not None
    ]
    if details:
        raise ValidationError.from_exception_data("a value", details)
