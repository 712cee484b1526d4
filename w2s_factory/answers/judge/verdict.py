"""The verdict on a response: by one type of answer, or automatically, trying all."""

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

    from w2s_factory.answers.judge.rules import Answer

_BY_TEXT: Final = ("SC", "MC", "TF")
"""Types whose rules need no parser."""

_COMMAS: Final = ("MC", *SEVERAL)
"""Types of which a prediction may have several items."""

_LISTS: Final = ("SET", *SEVERAL)
"""Types of which a gold that is a list of one element stays a list."""

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
    r"""Whether a response's answer is the gold, as OlympicArena's published judge finds it.

    The answer is what the response's first `\boxed{...}` holds, else the whole response. For many
    responses `score_responses("olympic_arena", ...)` is much faster.

    Args:
        pred: The whole response.
        gold: The gold answer; a list where there are several quantities, or of a set. A list of one element
            is that element, except for the types whose golds are lists: `SET`, `MPV` and `MA`.
        type_sequence: The type of each of several quantities. With it, the characters of a gold that is a
            text (or, judged automatically, a list of one) are the quantities, as published: `12` is 1 and 2.
        answer_type: The type to judge by (`SC`, `NV`, `MPV` ...); automatic if None, which with a type
            sequence tries MPV and MA, else all types of one answer: one success is enough.
        timeout: Seconds it may take before the verdict is False. The process that judges is killed then.

    Raises:
        UserError: There is no such type, or it is not judged by rules (`CODE`, `OT`); or an argument is
            of the wrong type.
    """
    _refuse_others(pred, gold, type_sequence)
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


def _refuse_others(pred: Any, gold: Any, types: Any) -> None:
    if not isinstance(pred, str):
        raise UserError(f"expected a text, got {_shown(pred)}", field="pred")
    if not isinstance(gold, str) and not _are_texts(gold):
        raise UserError(f"expected a text or a list of texts, got {_shown(gold)}", field="gold")
    if types is not None and not _are_texts(types):
        raise UserError(f"expected a list of texts, got {_shown(types)}", field="type_sequence")


def _shown(value: Any) -> str:
    return repr(value)[:40]


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


def equal(pred: str, gold: str) -> bool:
    """The verdict on a normalised answer and the text of a `Gold`, in this process and without a limit."""
    against = read_gold(gold)
    if not pred:
        return False
    if against.answer_type is not None:
        return _by_type(against.answer_type, pred, against)
    if against.type_sequence:
        return any(holds(rule, pred, against.answer, against.type_sequence) for rule in SEVERAL.values())
    return any(holds(rule, pred, against.answer) for rule in AUTOMATIC.values())


def _by_type(kind: str, pred: str, against: Gold) -> bool:
    if kind not in _COMMAS and len(items(pred)) > 1:
        return False
    if kind in SEVERAL:
        return holds(SEVERAL[kind], pred, against.answer, against.type_sequence)
    return holds(AUTOMATIC[kind], pred, against.answer)


def equal_at_once(pred: str, gold: str) -> bool | None:
    """The verdict of `equal` where it needs no parser; None elsewhere."""
    against = read_gold(gold)
    if not pred:
        return False
    if against.answer_type is not None:
        return equal(pred, gold) if against.answer_type in _BY_TEXT else None
    if against.type_sequence:
        return None
    if any(holds(AUTOMATIC[kind], pred, against.answer) for kind in _BY_TEXT):
        return True
    return _plain_numbers(pred, against.answer)


def _plain_numbers(pred: str, gold: Answer) -> bool | None:
    """The verdict on two plain numbers; None on anything else, and where rounding may decide."""
    if not isinstance(gold, str) or not (_PLAIN.fullmatch(pred) and _PLAIN.fullmatch(gold)):
        return None
    apart = abs(float(pred) - float(gold))
    close, far = _NEITHER_CLOSE_NOR_FAR
    return None if close < apart < far else apart <= close


COMPARISON: Final = Comparison(equal_at_once, equal, prepare, parses=False, packages=PACKAGES)
"""How answers are judged."""
