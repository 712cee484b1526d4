"""Options that are numbers: their type, and the range shown in the help, from the library's declaration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import click

from w2s_factory.ranges import problem, range_of

if TYPE_CHECKING:
    from collections.abc import Callable


class _Declared:
    """The part both kinds of number share: converting a text, and refusing it in the library's words."""

    parse: ClassVar[Callable[[Any], float]]

    def __init__(self, alias: Any) -> None:
        declared, self.alias = range_of(alias), alias
        super().__init__(
            min=_finite(declared.low),
            max=_finite(declared.high),
            min_open=declared.low_open,
            max_open=declared.high_open,
        )  # type: ignore[call-arg]  # those of click's ranges

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail with the expected range and what was given."""
        try:
            number: Any = type(self).parse(value)
        except (ValueError, OverflowError):
            number = value
        wrong = problem(number, self.alias)
        if wrong is not None:
            raise click.BadParameter(wrong, ctx=ctx, param=param)
        return number


class WholeNumber(_Declared, click.IntRange):
    """An option that takes an integer in the range of a declared number."""

    parse = int


class Number(_Declared, click.FloatRange):
    """An option that takes a number in the range of a declared one."""

    parse = float


def number(alias: Any) -> click.ParamType[Any]:
    """Return the type of an option that takes the number an alias declares."""
    return WholeNumber(alias) if range_of(alias).whole else Number(alias)


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
