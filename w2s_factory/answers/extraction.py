"""The final answer of a response: as the release extracts it, or a number in any format."""

from __future__ import annotations

import re

_FALLBACK_KEY = "The answer is "
_NUMBER = re.compile(r"-?\d+\.?\d*")
_END_OF_SEQUENCE = "</s>"
_ITS_PUBLISHED_LENGTH = 4  # the release drops the last four characters wherever the mark is


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
