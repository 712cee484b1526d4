r"""The final answer of a chat model's response: in a box, after a key or a sentence, or the last number.

The functions take the answer part of a response, without its thinking, and return texts that are not
normalised. Their time is linear in the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TURN_END: Final = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|end_of_text|eom_id|end|return)\|>|<end_of_turn>|</s>"
    "|<\uff5cend\u2581of\u2581sentence\uff5c>"
)
"""The tokens that end a turn; an engine that keeps special tokens leaves them in the response."""

_BOX: Final = re.compile(r"\\(?:boxed|fbox)\s*+\{")
_TOKEN: Final = re.compile(
    r"\\++(?:(?P<box>(?:boxed|fbox)\s*+\{)|(?P<brace>[{}])"
    r"|(?P<blank>[ ,;:!~]|q?quad(?![A-Za-z])|(?:text(?:bf|it|rm)?|math(?:bf|rm)|mbox)(?=\s*+\{)))?"
    r"|[{}]"
)
"""The parts of LaTeX that matter in boxes: boxes, braces, commands that show nothing, and backslashes, of
which an odd number escapes a brace."""

_INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff"
"""The characters without a width, which Python does not count as blanks."""

_FILLED: Final = re.compile(rf"[^\s~${_INVISIBLE}]")

_GROUP: Final = r"(?:,|\{,\}|,\\!|\\,)[0-9]{3}(?![0-9])"
_NUMBER: Final = re.compile(
    r"(?P<sign>(?<![^\W_])(?<![)\]}])[-\u2212](?:\\?[$\u20ac\u00a3])?)?"
    rf"(?P<digits>(?:[0-9]{{1,3}}(?:{_GROUP})++|[0-9]++)(?:\.[0-9]++)?|(?<![0-9])\.[0-9]++)"
)
_DIGITS: Final = "0123456789"
_IN_NUMBERS: Final = _DIGITS + ".,{}\\!$\u20ac\u00a3-\u2212"
_NOT_A_DIGIT: Final = re.compile(r"[^0-9.]")

_SENTENCE: Final = re.compile(r"the[\s*_]++(?:final[\s*_]++)?answer[\s*_]++is(?!\w)")
_LEAD: Final = re.compile(rf"(?:[ \t:*_`}}={_INVISIBLE}]|[\r\n]\s*+(?:(?:>|#++|[-+\u2022](?=\s))\s*+)*+)*+")
"""The text between a key and its answer: blanks, colon, emphasis, line ends, the mark of a list or quote."""

_NUMBER_KEY: Final = "####"
_BEFORE_NUMBER: Final = re.compile(r"[^\w#]*+(?=[0-9])")

_SPAN: Final = re.compile(
    r"\$\$((?:[^$\\]|\\.)*+)\$\$"
    r"|\$((?:[^$\\\r\n]|\\.)++)\$(?!\d)"  # a digit follows the second of two amounts of money
    r"|\\\(((?:[^\\]|\\(?!\)).)*+)\\\)"
    r"|\\\[((?:[^\\]|\\(?!\]).)*+)\\\]",
    re.DOTALL,
)
_LINE_END: Final = re.compile(r"[\r\n]++")
_LINE: Final = re.compile(r"[^\r\n]*+")
_FULL_STOP: Final = re.compile(r"\.(?!\S)")
_EMPHASIS: Final = re.compile(r"\*\*|__|`++")
_CHATTER: Final = _INVISIBLE + "*_`. \t\u2705\u2713\u2714\ufe0f\u2611\U0001f389"
"""The characters removed at the end of an answer: emphasis, full stops, blanks, and signs of success."""

_DELIMITER: Final = re.compile(r"(?<!\\)\\[()\[\]]")
_BRACKET: Final = re.compile(r"\\.|[{}]", re.DOTALL)
_OPENING: Final = frozenset(("{", r"\(", r"\["))
_CLOSING: Final = frozenset(("}", r"\)", r"\]"))


def until_turn_end(text: str) -> str:
    """Return a text up to the first token that ends a turn: what follows is not part of the answer."""
    end = _TURN_END.search(text) if "<" in text else None
    return text[: end.start()] if end else text


def last_box(text: str) -> str | None:
    r"""Return the content of the last box that is not empty, of `\boxed{}` and `\fbox{}`.

    Of nested boxes it is the innermost. Escaped braces do not count as braces, and line ends become spaces.

    Returns:
        The content; "" if all boxes are empty or lack their closing brace; None if there is no box.
    """
    starts = [box.start() for box in _BOX.finditer(text)]
    if not starts:
        return None
    place = _last_filled(text, starts[-1:]) or _last_filled(text, starts)
    return "" if place is None else _one_line(text[slice(*place)])


def after_key(text: str, key: str, *, numbers: bool) -> str:
    """Return the answer after the last key, or after "the answer is" or "the final answer is".

    Keys are found in any case; of key and sentence the later one counts. If no answer follows the last one,
    the one before it counts. `####` is a key only before a number.

    Args:
        text: The answer part of a response.
        key: The task's key; "" if it has none.
        numbers: Whether answers are numbers.

    Returns:
        The answer without markdown, math delimiters and the text that follows it; "" if there is none.
    """
    find = _number_after if numbers else _text_after
    places = _keys(text, key.strip())
    end = len(text)  # a value ends where the next key begins
    for key_start, start in reversed(places):
        if start < end and (answer := find(text[start:end])):
            return answer
        end = key_start
    return ""


def number_in(value: str) -> str:
    """Return the first number after the last `=` of a value, or else its first number; "" if it has none."""
    return _first_number(value.rpartition("=")[2]) or _first_number(value)


def last_number(text: str) -> str:
    """Return the last number of a text, without the commas of thousands; "" if there is none.

    A minus is its sign only with no digit, letter or closing bracket before it.
    """
    end = max(map(text.rfind, _DIGITS)) + 1
    start = len(text[:end].rstrip(_IN_NUMBERS))
    last = None
    for last in _NUMBER.finditer(text, start, end):  # noqa: B007  the last one is used
        pass
    return _plain(last) if last else ""


def _last_filled(text: str, starts: Sequence[int]) -> tuple[int, int] | None:
    """Return the start and end of the content of the last box that is closed and not empty.

    Args:
        text: The text.
        starts: The places of the boxes to consider, in order, to the last of the text.
    """
    found: tuple[int, int] | None = None
    opened: list[int] = []  # for each open brace the start of its box's content; -1 for another brace
    filled, here = -1, starts[0]  # the last place known to hold something
    for token in _TOKEN.finditer(text, here):
        if visible := _FILLED.search(text, here, token.start()):
            filled = visible.start()
        here = token.end()
        kind, last = token.lastgroup, token[0][-1]
        if kind == "brace" and len(token[0]) % 2 == 0:
            filled = token.start()
        elif last == "{":
            opened.append(here if kind == "box" else -1)
        elif last == "}" and opened:
            content = opened.pop()
            if 0 <= content <= filled and (found is None or content > found[0]):
                found = content, here - len(token[0])
            if not opened and here > starts[-1]:
                break
    return found


def _one_line(value: str) -> str:
    """Return a value without math delimiters around it, with spaces for its line ends."""
    value = " ".join(filter(None, (line.strip().strip(_INVISIBLE) for line in _LINE_END.split(value))))
    span = _SPAN.fullmatch(value)
    return _inside(span) if span else value


def _inside(span: re.Match[str]) -> str:
    return (span[span.lastindex or 0] or "").strip()


def _first_number(value: str) -> str:
    number = _NUMBER.search(value)
    return _plain(number) if number else ""


def _plain(number: re.Match[str]) -> str:
    return ("-" if number["sign"] else "") + _NOT_A_DIGIT.sub("", number["digits"])


def _keys(text: str, key: str) -> list[tuple[int, int]]:
    """Return the start and end of each key and sentence, in order of their starts."""
    lower = _lower(text)
    found = {place.start(): place.end() for place in _SENTENCE.finditer(lower)}
    key = _lower(key)
    for place in re.finditer(re.escape(key), lower) if key else ():
        if key != _NUMBER_KEY or _BEFORE_NUMBER.match(text, place.end()):
            found[place.start()] = max(place.end(), found.get(place.start(), 0))
    return sorted((start, end) for start, end in found.items() if not _within_word(lower, start))


def _within_word(text: str, start: int) -> bool:
    """Return whether a place is inside a word."""
    return start > 0 and text[start].isalnum() and text[start - 1].isalnum()


def _lower(text: str) -> str:
    """Return a text in lower case, with every character at its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return re.sub(r"[A-Z]+", lambda capitals: capitals[0].lower(), text)


def _number_after(text: str) -> str:
    """Return the number at the start of the text after a key."""
    start = _end_of_lead(text)
    line = _line_at(text, start)
    span = _SPAN.match(text, start)
    values = (_until_full_stop(line), line, _inside(span) if span else "")
    return next(filter(None, map(number_in, values)), "")


def _text_after(text: str) -> str:
    """Return the answer at the start of the text after a key: a math span, or the line up to a full stop."""
    start = _end_of_lead(text)
    span = _SPAN.match(text, start)
    if span and (inside := _one_line(_inside(span))):
        return inside
    value = _without_emphasis(_until_unopened(_until_full_stop(_line_at(text, start))))
    value = _DELIMITER.sub("$", value).strip().rstrip(_CHATTER)
    return value.rstrip("$").rstrip() if "$" not in value.rstrip("$") else value


def _end_of_lead(text: str) -> int:
    lead = _LEAD.match(text)
    return lead.end() if lead else 0


def _line_at(text: str, start: int) -> str:
    line = _LINE.match(text, start)
    return line[0] if line else ""


def _until_full_stop(line: str) -> str:
    end = _FULL_STOP.search(line)
    return line[: end.start()] if end else line


def _until_unopened(value: str) -> str:
    """Return a value up to a bracket or math delimiter that was opened before it."""
    depth = 0
    for bracket in _BRACKET.finditer(value):
        depth += (bracket[0] in _OPENING) - (bracket[0] in _CLOSING)
        if depth < 0:
            return value[: bracket.start()]
    return value


def _without_emphasis(value: str) -> str:
    """Return a value without markdown's emphasis, up to the end of emphasis that began before it."""
    return "".join(_plain_parts(value))


def _plain_parts(value: str) -> Iterator[str]:
    opened: set[str] = set()
    here = 0
    for mark in _EMPHASIS.finditer(value):
        before = value[max(0, mark.start() - 1) : mark.start()]
        after = value[mark.end() : mark.end() + 1]
        begins = bool(after.strip()) and not before.isalnum()
        ends = bool(before.strip()) and not after.isalnum()
        if mark[0] in opened:
            opened.remove(mark[0])
        elif begins:
            opened.add(mark[0])
        elif ends:
            yield value[here : mark.start()]
            return
        else:
            continue
        yield value[here : mark.start()]
        here = mark.end()
    yield value[here:]
