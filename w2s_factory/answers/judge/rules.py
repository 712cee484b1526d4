"""Rules that decide whether a prediction is the gold, for each type of answer; equations included.

A rule that raises means that it is not.
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


def same_equation(pred: str, gold: Any) -> bool:
    """EQ: the sides' differences are equal, or one is a whole multiple of the other.

    SymPy's simplification, which takes most of a judge's time, is asked only where numbers put for the
    symbols don't show already that it can find neither.
    """
    from sympy import simplify  # noqa: PLC0415  heavy

    if _differ(_sides(pred), _sides(gold)):
        return False
    left, right = _difference(pred), _difference(gold)
    return simplify(left - right) == 0 or any(
        quotient.is_Integer and quotient != 0 for quotient in (simplify(left / right), simplify(right / left))
    )


@lru_cache(_KEPT)
def _sides(equation: str) -> Any:
    """Left side minus right side, as written."""
    left, right = equation.split("=")
    return value(left) - value(right)


@lru_cache(_KEPT)
def _difference(equation: str) -> Any:
    """Left side minus right side, simplified, of an equation that is neither always true nor always false."""
    from sympy import Eq, simplify  # noqa: PLC0415  heavy

    left, right = equation.split("=")
    relation = Eq(value(left), value(right))
    return simplify(relation.lhs - relation.rhs)


def _differ(left: Any, right: Any) -> bool:
    """Whether at some point neither expression is a whole multiple of the other; False if that is unclear."""
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    for point in POINTS:
        mine, theirs = value_at(left, symbols, point), value_at(right, symbols, point)
        if mine and theirs and not (_is_whole(mine / theirs) or _is_whole(theirs / mine)):
            return True
    return False


def _is_whole(quotient: complex) -> bool:
    """Return whether a quotient may be a whole number other than 0, apart from rounding."""
    nearest = round(quotient.real)
    return nearest != 0 and abs(quotient - nearest) <= NEAR * abs(quotient)


Answer: TypeAlias = "str | Sequence[str]"
"""A gold: a text, or a list with a text for each of several quantities.

Where several quantities are asked for, each character of a text is one, as in the published judge.
"""


def single_choice(pred: str, gold: Answer) -> bool:
    """SC: the same text, or the gold's letter before a colon."""
    if pred == gold:
        return True
    pred = _unbracketed(pred)
    return pred[0] in ascii_uppercase and pred[1:2] == ":" and pred[0] == gold


def multiple_choice(pred: str, gold: Answer) -> bool:
    """MC: as many items as the gold has letters, and the same ones; of other items the first capital."""
    chosen = items(_unbracketed(pred))
    if len(chosen) != len(gold):
        return False
    if not all(len(item) == 1 and item in ascii_uppercase for item in chosen):
        chosen = [letter for item in chosen for letter in _first_capital(item)]
    return set(chosen) == set(gold)


def _unbracketed(pred: str) -> str:
    return pred.strip("[]") if pred.startswith("[") and pred.endswith("]") else pred


def _first_capital(item: str) -> list[str]:
    return [character for character in item if character in ascii_uppercase][:1]


def true_or_false(pred: str, gold: Answer) -> bool:
    """TF: the same one of "True" and "False"."""
    return pred in ("True", "False") and pred == gold


def same_set(pred: str, gold: Answer) -> bool:
    """SET: as many items as the gold, which is a list, has; each matched once, by number."""
    return not isinstance(gold, str) and _matched(
        gold, items(pred), lambda mine, theirs: same_number(theirs, mine)
    )


def same_intervals(pred: str, gold: Any) -> bool:
    r"""IN: joined by `\cup`, as many as the gold has, each matched once: ends alike, both bounds as EX."""
    return _matched(_intervals(pred), _intervals(gold), _same_interval)


def _intervals(union: str) -> list[tuple[bool, bool, str, str]]:
    parts = [part.strip() for part in union.split(r"\cup")]
    return [(part[:1] == "(", part[-1:] == ")", *_bounds(part)) for part in parts]


def _bounds(interval: str) -> tuple[str, str]:
    """Both bounds; whatever follows a second comma is not looked at. Without a comma there is no match."""
    bounds = interval.strip("()[]").split(",")
    return bounds[0], bounds[1]


def _same_interval(mine: tuple[bool, bool, str, str], theirs: tuple[bool, bool, str, str]) -> bool:
    return mine[:2] == theirs[:2] and all(map(same_expression, mine[2:], theirs[2:]))


def same_expression(pred: str, gold: Any) -> bool:
    """EX: the same structure, or without symbols the same number.

    Two different structures with symbols are never the same: the published simplification always fails.
    """
    from sympy import Symbol  # noqa: PLC0415  heavy

    left, right = value(_right_side(pred)), value(_right_side(gold))
    if left == right:
        return True
    return not left.has(Symbol) and not right.has(Symbol) and close_floats(left, right)


def _right_side(answer: str) -> str:
    """The text between the first and the second `=`; all of it where there is none."""
    return answer.split("=")[1] if "=" in answer else answer


def same_tuple(pred: str, gold: Any) -> bool:
    """TUP: as many items as the gold has, in order, by number."""
    mine, theirs = items(pred.strip("()")), items(gold.strip("()"))
    return len(mine) == len(theirs) and all(map(same_number, mine, theirs))


def _matched(mine: Sequence[Any], theirs: Sequence[Any], same: Callable[[Any, Any], bool]) -> bool:
    """Whether each of mine finds one of theirs, the first that fits, used once; and none is left."""
    left = list(theirs)
    for one in mine:
        place = next((place for place, other in enumerate(left) if same(one, other)), None)
        if place is None:
            return False
        del left[place]
    return not left


def same_quantities(pred: str, gold: Answer, types: Sequence[str]) -> bool:
    """MPV: as many items as the gold has, in order, each by its type."""
    mine, theirs = _quantities(pred, gold)
    return len(mine) == len(theirs) and all(
        AUTOMATIC[types[place]](*pair) for place, pair in enumerate(zip(mine, theirs, strict=True))
    )


def same_answers(pred: str, gold: Answer, types: Sequence[str]) -> bool:
    """MA: as MPV, in any order, each item used once."""
    mine, theirs = _quantities(pred, gold)
    return len(mine) == len(theirs) and _matched(
        [(types[place], one) for place, one in enumerate(theirs)],
        mine,
        lambda wanted, given: holds(AUTOMATIC.get(wanted[0], _never), given, wanted[1]),
    )


def _never(pred: str, gold: Answer) -> bool:  # noqa: ARG001  the rule of an unknown type
    return False


def _quantities(pred: str, gold: Answer) -> tuple[list[str], list[str]]:
    """Return the items of a prediction and the quantities of a gold: of a text, its characters."""
    return [normalised(item) for item in items(pred)], [normalised(quantity) for quantity in gold]


def holds(rule: Callable[..., bool], *answers: Any) -> bool:
    """Whether a rule holds; it does not where it raises, as published. Memory is the worker's to judge."""
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
"""Those the automatic judge tries. One success is enough, so the quick ones come first."""

SEVERAL: Final[dict[str, Callable[..., bool]]] = {"MPV": same_quantities, "MA": same_answers}
"""Those of several quantities, which take a type for each."""

TYPES: Final = (*AUTOMATIC, *SEVERAL)
