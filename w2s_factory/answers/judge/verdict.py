"""The judge's verdict on a response, by one type of answer or by trying all types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.answers.comparison import Comparison, decide
from w2s_factory.answers.judge.notation import boxed, items, normalised
from w2s_factory.answers.judge.rules import AUTOMATIC, SEVERAL, TYPES, holds
from w2s_factory.answers.judge.structured_gold import Gold, read_gold, sole
from w2s_factory.answers.symbolic import PACKAGES, prepare
from w2s_factory.errors import UserError
from w2s_factory.quantities import TIMEOUT, Timeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.answers.judge.rules import Reference

_BY_TEXT: Final = ("SC", "MC", "TF")
"""The types whose rules need no parser."""

_COMMAS: Final = ("MC", *SEVERAL)
"""The types of which an answer may have several items."""

_LISTS: Final = ("SET", *SEVERAL)
"""The types for which a gold that is a list of one element stays a list."""

_PLAIN: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?")
_NEITHER_CLOSE_NOR_FAR: Final = (1.0e-5, 1.1e-5)


def judge(
    pred: str,
    gold: str | Sequence[str],
    type_sequence: Sequence[str] | None = None,
    answer_type: str | None = None,
    *,
    timeout: Timeout = TIMEOUT,
) -> bool:
    r"""Return whether the answer of a response is right, as OlympicArena's published judge decides it.

    The answer is the content of the first `\boxed{...}`, or the whole response if there is none. For many
    responses `score_responses("olympic_arena", ...)` is much faster.

    Args:
        pred: The whole response.
        gold: The gold answer; a list for a set or several quantities. A list of one element counts as that
            element, except for the types whose golds are lists: `SET`, `MPV` and `MA`.
        type_sequence: The type of each of several quantities. With it, if the gold is a text (or a list of
            one, if all types are tried), its characters are the quantities, as published: `12` is 1 and 2.
        answer_type: The type to judge by (`SC`, `NV`, `MPV` ...). If None, MPV and MA are tried if there is a
            type sequence, else all types of one answer; one success is enough.
        timeout: Seconds after which the judging process is killed and the verdict is False.

    Raises:
        UserError: There is no such type, or rules cannot judge it (`CODE`, `OT`), or an argument has the
            wrong type.
    """
    _check_types(pred, gold, type_sequence)
    if answer_type is not None and answer_type not in TYPES:
        raise UserError(
            f'answers of type "{answer_type}" are not judged',
            field="answer_type",
            hint=f"Types: {', '.join(TYPES)}",
        )
    answer = gold if answer_type in _LISTS else sole(gold)
    answer = normalised(answer) if isinstance(answer, str) else answer
    pair = normalised(boxed(pred)), Gold(answer, type_sequence, answer_type).text()
    return decide([pair], COMPARISON, timeout=timeout, workers=1)[pair].result


def _check_types(pred: Any, gold: Any, types: Any) -> None:
    if not isinstance(pred, str):
        raise UserError(f"expected a text, got {_shown(pred)}", field="pred")
    if not isinstance(gold, str) and not _are_texts(gold):
        raise UserError(f"expected a text or a list of texts, got {_shown(gold)}", field="gold")
    if types is not None and not _are_texts(types):
        raise UserError(f"expected a list of texts, got {_shown(types)}", field="type_sequence")


def _shown(value: Any) -> str:
    return repr(value)[:40]


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value)


def equal(answer: str, reference: str) -> bool:
    """Return the verdict on a normalised answer and the text of a `Gold`, in this process without limits."""
    against = read_gold(reference)
    if not answer:
        return False
    if against.answer_type is not None:
        return _by_type(against.answer_type, answer, against)
    if against.type_sequence:
        return any(holds(rule, answer, against.answer, against.type_sequence) for rule in SEVERAL.values())
    return any(holds(rule, answer, against.answer) for rule in AUTOMATIC.values())


def _by_type(kind: str, answer: str, against: Gold) -> bool:
    if kind not in _COMMAS and len(items(answer)) > 1:
        return False
    if kind in SEVERAL:
        return holds(SEVERAL[kind], answer, against.answer, against.type_sequence)
    return holds(AUTOMATIC[kind], answer, against.answer)


def equal_at_once(answer: str, reference: str) -> bool | None:
    """Return the verdict of `equal` where it needs no parser, else None."""
    against = read_gold(reference)
    if not answer:
        return False
    if against.answer_type is not None:
        return equal(answer, reference) if against.answer_type in _BY_TEXT else None
    if against.type_sequence:
        return None
    if any(holds(AUTOMATIC[kind], answer, against.answer) for kind in _BY_TEXT):
        return True
    return _plain_numbers(answer, against.answer)


def _plain_numbers(answer: str, reference: Reference) -> bool | None:
    """Return the verdict on two plain numbers; None for other answers, and where rounding may decide."""
    if not isinstance(reference, str) or not (_PLAIN.fullmatch(answer) and _PLAIN.fullmatch(reference)):
        return None
    apart = abs(float(answer) - float(reference))
    close, far = _NEITHER_CLOSE_NOR_FAR
    return None if close < apart < far else apart <= close


COMPARISON: Final = Comparison(equal_at_once, equal, prepare, parses=False, packages=PACKAGES)
"""The judge as a comparison, for many answers at once."""
