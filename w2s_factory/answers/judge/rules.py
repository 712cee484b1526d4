"""The judge's rules: one function for each type of answer, which compares an answer with a reference.

A rule that raises an error counts as not equal, as published.
"""

from __future__ import annotations

from functools import lru_cache
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from w2s_factory.answers.judge.notation import items, normalised
from w2s_factory.answers.judge.values import close_floats, same_number, value
from w2s_factory.answers.symbolic import NEAR, POINTS, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_KEPT: Final = 4096


def same_equation(answer: str, reference: Any) -> bool:
    """Compare equations (EQ) by the differences of their sides: one is a whole multiple of the other.

    SymPy's simplification takes most of the judge's time. It is used only if numbers substituted for the
    symbols do not already show that it can find neither.
    """
    from sympy import simplify  # noqa: PLC0415  heavy

    if _differ(_sides(answer), _sides(reference)):
        return False
    left, right = _difference(answer), _difference(reference)
    return simplify(left - right) == 0 or any(
        quotient.is_Integer and quotient != 0 for quotient in (simplify(left / right), simplify(right / left))
    )


@lru_cache(_KEPT)
def _sides(equation: str) -> Any:
    """Return the left side of an equation minus its right side, as written."""
    left, right = equation.split("=")
    return value(left) - value(right)


@lru_cache(_KEPT)
def _difference(equation: str) -> Any:
    """Return the left side minus the right side, simplified.

    Raises:
        AttributeError: The equation is always true or always false.
    """
    from sympy import Eq, simplify  # noqa: PLC0415  heavy

    left, right = equation.split("=")
    relation = Eq(value(left), value(right))
    return simplify(relation.lhs - relation.rhs)


def _differ(left: Any, right: Any) -> bool:
    """Return whether at some point neither expression is a whole multiple of the other; False if unclear."""
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    for point in POINTS:
        first, second = value_at(left, symbols, point), value_at(right, symbols, point)
        if first and second and not (_is_whole(first / second) or _is_whole(second / first)):
            return True
    return False


def _is_whole(quotient: complex) -> bool:
    """Return whether a quotient may be a whole number other than 0, apart from rounding."""
    nearest = round(quotient.real)
    return nearest != 0 and abs(quotient - nearest) <= NEAR * abs(quotient)


Reference: TypeAlias = "str | Sequence[str]"
"""A reference: a text, or a list with a text for each of several quantities.

Where several quantities are expected, each character of a text is one of them, as in the published judge.
"""


def single_choice(answer: str, reference: Reference) -> bool:
    """Compare single choices (SC): the same text, or the reference's letter followed by a colon."""
    if answer == reference:
        return True
    answer = _unbracketed(answer)
    return answer[0] in ascii_uppercase and answer[1:2] == ":" and answer[0] == reference


def multiple_choice(answer: str, reference: Reference) -> bool:
    """Compare multiple choices (MC): as many items as the reference has letters, and the same letters.

    If not all items are capital letters, the first capital of each counts.
    """
    chosen = items(_unbracketed(answer))
    if len(chosen) != len(reference):
        return False
    if not all(len(item) == 1 and item in ascii_uppercase for item in chosen):
        chosen = [letter for item in chosen for letter in _first_capital(item)]
    return set(chosen) == set(reference)


def _unbracketed(answer: str) -> str:
    return answer.strip("[]") if answer.startswith("[") and answer.endswith("]") else answer


def _first_capital(item: str) -> list[str]:
    return [character for character in item if character in ascii_uppercase][:1]


def true_or_false(answer: str, reference: Reference) -> bool:
    """Compare truth values (TF): both "True" or both "False"."""
    return answer in ("True", "False") and answer == reference


def same_set(answer: str, reference: Reference) -> bool:
    """Compare sets (SET): as many items as the reference, a list; each is the same number as another one."""
    return not isinstance(reference, str) and _matched(
        reference, items(answer), lambda element, item: same_number(item, element)
    )


def same_intervals(answer: str, reference: Any) -> bool:
    r"""Compare unions of intervals (IN), joined by `\cup`: each matches another interval of the reference.

    Two intervals match if both ends are open or closed alike and both bounds are the same expression (EX).
    """
    return _matched(_intervals(answer), _intervals(reference), _same_interval)


def _intervals(union: str) -> list[tuple[bool, bool, str, str]]:
    parts = [part.strip() for part in union.split(r"\cup")]
    return [(part[:1] == "(", part[-1:] == ")", *_bounds(part)) for part in parts]


def _bounds(interval: str) -> tuple[str, str]:
    """Return both bounds of an interval; text after a second comma is ignored.

    Raises:
        IndexError: There is no comma, so that the intervals do not match.
    """
    bounds = interval.strip("()[]").split(",")
    return bounds[0], bounds[1]


def _same_interval(first: tuple[bool, bool, str, str], second: tuple[bool, bool, str, str]) -> bool:
    return first[:2] == second[:2] and all(map(same_expression, first[2:], second[2:]))


def same_expression(answer: str, reference: Any) -> bool:
    """Compare expressions (EX): the same structure, or the same number if they have no symbols.

    Two different structures with symbols are never the same: the published simplification always fails.
    """
    from sympy import Symbol  # noqa: PLC0415  heavy

    left, right = value(_right_side(answer)), value(_right_side(reference))
    if left == right:
        return True
    return not left.has(Symbol) and not right.has(Symbol) and close_floats(left, right)


def _right_side(answer: str) -> str:
    """Return the text between the first and the second `=`; all of it if there is none."""
    return answer.split("=")[1] if "=" in answer else answer


def same_tuple(answer: str, reference: Any) -> bool:
    """Compare tuples (TUP): as many items as the reference, in order, each the same number."""
    given, expected = items(answer.strip("()")), items(reference.strip("()"))
    return len(given) == len(expected) and all(map(same_number, given, expected))


def _matched(first: Sequence[Any], second: Sequence[Any], same: Callable[[Any, Any], bool]) -> bool:
    """Return whether the elements match one to one; each of `first` takes the earliest match that is left."""
    left = list(second)
    for element in first:
        place = next((place for place, other in enumerate(left) if same(element, other)), None)
        if place is None:
            return False
        del left[place]
    return not left


def same_quantities(answer: str, reference: Reference, types: Sequence[str]) -> bool:
    """Compare several quantities (MPV): as many items as the reference, in order, each by its type."""
    given, expected = _quantities(answer, reference)
    return len(given) == len(expected) and all(
        AUTOMATIC[types[place]](*pair) for place, pair in enumerate(zip(given, expected, strict=True))
    )


def same_answers(answer: str, reference: Reference, types: Sequence[str]) -> bool:
    """Compare several answers (MA): like MPV, but in any order, each item used once."""
    given, expected = _quantities(answer, reference)
    return len(given) == len(expected) and _matched(
        [(types[place], quantity) for place, quantity in enumerate(expected)],
        given,
        lambda typed, item: holds(AUTOMATIC.get(typed[0], _never), item, typed[1]),
    )


def _never(answer: str, reference: Reference) -> bool:  # noqa: ARG001  the rule of an unknown type
    return False


def _quantities(answer: str, reference: Reference) -> tuple[list[str], list[str]]:
    """Return the items of an answer and the quantities of a reference; those of a text are its characters."""
    return [normalised(item) for item in items(answer)], [normalised(quantity) for quantity in reference]


def holds(rule: Callable[..., bool], *answers: Any) -> bool:
    """Return whether a rule holds; a rule that raises does not, as published.

    Raises:
        MemoryError: The worker's memory is used up, on which `workers` decides.
    """
    try:
        return bool(rule(*answers))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  the published verdict
        return False


AUTOMATIC: Final[dict[str, Callable[..., bool]]] = {
    "SC": single_choice,
    "MC": multiple_choice,
    "TF": true_or_false,
    "SET": same_set,
    "NV": same_number,
    "TUP": same_tuple,
    "EX": same_expression,
    "IN": same_intervals,
    "EQ": same_equation,
}
"""The rules that are tried where no type is given. One success is enough, so quick rules come first."""

SEVERAL: Final[dict[str, Callable[..., bool]]] = {"MPV": same_quantities, "MA": same_answers}
"""The rules for several quantities, which take a type for each."""

TYPES: Final = (*AUTOMATIC, *SEVERAL)
