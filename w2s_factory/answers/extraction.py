"""The ways to find the final answer of a response: as the release does, or one that the user chooses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from w2s_factory.answers import final_answer as chat
from w2s_factory.errors import UserError, shown
from w2s_factory.processes import limited_memory

if TYPE_CHECKING:
    import regex

PUBLISHED: Final = "published"
AUTO: Final = "auto"
WAYS: Final = (PUBLISHED, AUTO, "boxed", "number", "regex:PATTERN")

REGEX_SECONDS: Final = 5.0
"""The most seconds that a user's pattern may take on one response."""

REGEX_MEMORY: Final = 2**30
"""The most bytes that a user's pattern may take: some, such as `(a){1000000000}`, would fill any memory."""

_REGEX: Final = "regex:"

_FALLBACK_KEY = "The answer is "
_NUMBER = re.compile(r"-?\d+\.?\d*")
_END_OF_SEQUENCE = "</s>"
_ITS_PUBLISHED_LENGTH = 4  # the release drops the last four characters wherever the mark is


@dataclass(frozen=True)
class Extraction:
    r"""A way to find the final answer in the answer part of a response.

    Attributes:
        way: `published`: as the task's own method `extract` does, from the whole response. `auto`: the last
            box, or else the text after the last key or "the (final) answer is", or else, where answers are
            numbers, the last number. `boxed`: the last box. `number`: the last number. `regex:PATTERN`: the
            first group that took part in the pattern's last match in which this group is not blank.
    """

    way: str

    @property
    def is_published(self) -> bool:
        """Whether the task's own method finds the answer."""
        return self.way == PUBLISHED

    def __call__(self, answer: str, key: str = "", *, numbers: bool = False) -> str:
        """Return the final answer as written; "" if there is none.

        The time is linear in the length of the text, except for a pattern, which has a time limit.

        Args:
            answer: The answer part of a response, see `thinking.split_thinking`.
            key: The text that precedes the final answer (`####`); "" if there is none.
            numbers: Whether the task's answers are numbers.

        Raises:
            UserError: The pattern takes too long, or too much memory.
        """
        if self.way.startswith(_REGEX):
            return _by_pattern(_pattern(self.way.removeprefix(_REGEX)), answer)
        answer = chat.until_turn_end(answer)
        if self.way == "number":
            return chat.last_number(answer)
        box = chat.last_box(answer)
        if box is not None:
            return chat.number_in(box) if numbers else box
        if self.way == "boxed":
            return ""
        return chat.after_key(answer, key, numbers=numbers) or (chat.last_number(answer) if numbers else "")


def parse_extraction(way: str | Extraction) -> Extraction:
    """Return a way to find final answers, given as text; one that is parsed already is returned as it is.

    Raises:
        UserError: There is no such way, or its pattern does not compile or has no group.
    """
    if isinstance(way, Extraction):
        return way
    if not isinstance(way, str):
        raise UserError(f"expected text, got {shown(way)}", field="extract", hint=_hint())
    if way.startswith(_REGEX):
        _pattern(way.removeprefix(_REGEX))
    elif way not in WAYS:
        raise UserError(f'no way to extract answers is called "{way}"', field="extract", hint=_hint())
    return Extraction(way)


def final_answer(response: str, answer_key: str) -> str:
    """Return the final answer of a response as written, as the release extracts it; empty if there is none.

    It is the text after the first answer key and a space on the last line of the response, which ends
    where the model starts a new "Question". Without the key it is the first number after "The answer
    is " on the last line. The time is linear in the length of the response.

    Args:
        response: The text that the model wrote.
        answer_key: The text that precedes the final answer (`####`).
    """
    text = response.split("Question", 1)[0].strip()
    answer = _after(f"{answer_key} ", text) or _first_number(_after(_FALLBACK_KEY, text))
    return answer[:-_ITS_PUBLISHED_LENGTH] if _END_OF_SEQUENCE in answer else answer


def last_number(response: str) -> str:
    """Return the last number of a response, without commas, before the model starts a new "Question".

    This is the usual lenient way to extract the answer to a word problem, in whatever format it is; the
    release does not use it. Empty if there is no number.
    """
    numbers = _NUMBER.findall(response.split("Question", 1)[0].replace(",", ""))
    return numbers[-1].removesuffix(".") if numbers else ""


def _after(mark: str, text: str) -> str:
    """Return the text after the first mark that no line break follows; empty if there is none."""
    last_line = text.rfind("\n") + 1
    start = text.find(mark, max(0, last_line - len(mark)))
    return "" if start < 0 else text[start + len(mark) :]


def _first_number(text: str) -> str:
    number = _NUMBER.search(text.replace(",", ""))
    return number[0].removesuffix(".") if number else ""


def _hint() -> str:
    return f"Ways: {', '.join(WAYS)}"


@lru_cache
def _pattern(text: str) -> regex.Pattern[str]:
    """Return a user's pattern, compiled.

    Raises:
        UserError: It does not compile or has no group.
    """
    import regex  # noqa: PLC0415  only this way needs it

    try:
        with limited_memory(REGEX_MEMORY):
            pattern = regex.compile(text)
    except MemoryError:
        raise UserError("the pattern does not compile: it takes too much memory", field="extract") from None
    except (regex.error, RecursionError, OverflowError) as error:
        raise UserError(f"the pattern does not compile: {error}", field="extract") from None
    if not pattern.groups:
        hint = r"Put parentheses around the answer, as in Answer: (\S+)"
        raise UserError("the pattern has no group", field="extract", hint=hint)
    return pattern


def _by_pattern(pattern: regex.Pattern[str], text: str) -> str:
    """Return the first group that took part, in the last match where it is not blank; "" if there is none.

    A pattern that can match nothing, such as `(.*)`, does so at the end of every text.
    """
    found = ""
    try:
        with limited_memory(REGEX_MEMORY):
            for match in pattern.finditer(text, timeout=REGEX_SECONDS):
                found = next((group for group in match.groups() if group is not None), "").strip() or found
    except MemoryError:
        problem = f"the pattern takes too much memory on a response of {len(text):,} characters"
        hint = "Simplify it: it may call itself without an end, as (?R) can"
        raise UserError(problem, field="extract", hint=hint) from None
    except TimeoutError:
        raise UserError(
            f"the pattern takes over {REGEX_SECONDS:g} seconds on a response of {len(text):,} characters",
            field="extract",
            hint="Simplify it: nested repetitions such as (a+)+ take exponential time",
        ) from None
    return found
