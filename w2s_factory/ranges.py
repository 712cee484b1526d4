"""Ranges of numbers, each declared once, and the checks of values against them.

A number is declared as an alias with `annotated_types` metadata: in `quantities` if a command takes it, else
in the module that owns the fact.

    Temperature: TypeAlias = Annotated[float, Ge(0), Le(100)]

The alias defines the library's own check (`check`, `check_fields`), the command's option (`cli/options.py`),
and the field of the experiment file (pydantic reads the same metadata). NaN, infinity, true and false are
never in range.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
import sys
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Seed: TypeAlias = Annotated[int, Ge(0), Le(2**32 - 1)]
"""The seed of a random generator: 32 bits, which NumPy and torch both accept."""

Share: TypeAlias = Annotated[float, Ge(0), Le(1)]
"""A part of a whole, such as an accuracy."""

_SHOWN = 60
"""The characters of a wrong value that an error shows."""


@dataclasses.dataclass(frozen=True)
class Range:
    """The range of one kind of number.

    Attributes:
        whole: Whether it must be an integer.
        low: The lower bound; minus infinity if there is none.
        high: The upper bound; infinity if there is none.
        low_open: Whether the lower bound itself is excluded.
        high_open: Whether the upper bound itself is excluded.
    """

    whole: bool
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: Any) -> bool:
        """Return whether a value is a number in this range."""
        kind = numbers.Integral if self.whole else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        if not isinstance(value, numbers.Integral) and not math.isfinite(value):
            return False
        return self._contains(value)

    def _contains(self, value: Any) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return bool(above and below)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if math.isfinite(self.low) and math.isfinite(self.high) and not (self.low_open or self.high_open):
            return f"{kind} from {_plain(self.low)} to {_plain(self.high)}"
        bounds = []
        if math.isfinite(self.low):
            bounds.append(f"{'above' if self.low_open else 'of at least'} {_plain(self.low)}")
        if math.isfinite(self.high):
            bounds.append(f"{'below' if self.high_open else 'of at most'} {_plain(self.high)}")
        return f"{kind} {' and '.join(bounds)}".strip()


def range_of(alias: Any) -> Range:
    """Return the range that an alias declares; of several bounds the narrowest.

    Raises:
        TypeError: The alias is not one of `int` or `float`.
    """
    kind, *metadata = get_args(alias) if get_origin(alias) is Annotated else (alias,)
    if kind not in (int, float):
        raise TypeError(f"{alias} is not a number")
    low: tuple[Any, bool] = (-math.inf, False)
    high: tuple[Any, bool] = (math.inf, False)
    for bound in metadata:
        match bound:
            case Ge(ge):
                low = max(low, (ge, False))
            case Gt(gt):
                low = max(low, (gt, True))
            case Le(le):
                high = min(high, (le, False), key=_narrower)
            case Lt(lt):
                high = min(high, (lt, True), key=_narrower)
    return Range(kind is int, low[0], high[0], low[1], high[1])


def is_number(alias: Any) -> bool:
    """Return whether an annotation is a declared number, or a union that holds one."""
    return any(get_origin(part) is Annotated and get_args(part)[0] in (int, float) for part in _parts(alias))


def problem(value: Any, alias: Any) -> str | None:
    """Return an error message for a value, or None if it is in range.

    Args:
        value: The value, of any type.
        alias: The declared number; a union may add `None` and single values (`Literal[-1]`).
    """
    fits = False
    expected: list[str] = []
    for part in _parts(alias):
        if part is NoneType:
            fits = fits or value is None
        elif get_origin(part) is Literal:
            fits = fits or (type(value) is not bool and value in get_args(part))
            expected += map(repr, get_args(part))
        else:
            fits = fits or range_of(part).holds(value)
            expected.append(str(range_of(part)))
    return None if fits else f"expected {' or '.join(expected)}, got {_shown(value)}"


def check(value: Any, alias: Any, field: str) -> None:
    """Check that a value is in the range of its alias.

    Args:
        value: The value, of any type.
        alias: The declared number.
        field: The name of the value, for the error.

    Raises:
        UserError: It is not in range; the error names the field, the expected range, and the value.
    """
    wrong = problem(value, alias)
    if wrong is not None:
        raise UserError(wrong, field=field)


def check_fields(instance: Any) -> None:
    """Check every declared number of a dataclass; to be called from its `__post_init__`.

    These are the fields whose annotation is the name of an alias in the class's module (`Temperature`),
    perhaps followed by `| None`.

    Raises:
        UserError: A number is out of its range.
    """
    for name, alias in declared(type(instance)).items():
        check(getattr(instance, name), alias, name)


def check_arguments(function: Any, arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a function or class whose parameters are declared numbers.

    These are the parameters whose annotation is the name of an alias in the function's module.

    Args:
        function: The function or class that will be called.
        arguments: Its arguments by name.

    Raises:
        UserError: A number is out of its range.
    """
    names = vars(sys.modules[function.__module__])
    for name, parameter in inspect.signature(function).parameters.items():
        alias = names.get(str(parameter.annotation))
        if name in arguments and is_number(alias):
            check(arguments[name], alias, name)


def declared(kind: type) -> dict[str, Any]:
    """Return the alias of each number that a dataclass declares, by field."""
    return {name: alias for name, alias in _annotations(kind) if is_number(alias)}


def _annotations(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield each field with the value that its annotation names in the class's module, or None."""
    names = vars(sys.modules[kind.__module__])
    for field in dataclasses.fields(kind):
        text = str(field.type)
        alias: Any = names.get(text.removesuffix(" | None"))
        yield field.name, alias | None if is_number(alias) and text.endswith(" | None") else alias


def _narrower(end: tuple[Any, bool]) -> tuple[Any, bool]:
    """Return the sort key of an upper bound: of two equal bounds the open one comes first."""
    return end[0], not end[1]


def _parts(alias: Any) -> tuple[Any, ...]:
    return get_args(alias) if get_origin(alias) in (Union, UnionType) else (alias,)


def _plain(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "an integer of more than 4,300 digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
