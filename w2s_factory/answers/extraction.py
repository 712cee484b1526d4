"""From a response to its final answer: the published way, and in any format."""

from __future__ import annotations

import re

_FALLBACK_KEY = "The answer is "
_NUMBER = re.compile(r"-?\d+\.?\d*")
_END_OF_SEQUENCE = "</s>"
_ITS_PUBLISHED_LENGTH = 4  # the release drops four characters wherever the mark stands


def final_answer(response: str, answer_key: str) -> str:
    """The final answer of a response as it was written; empty if there is none.

    It is what follows the first answer key and a space on the last line of the response, which ends
    where the model starts a new "Question". Without the key it is the first number behind "The answer
    is " on the last line. (The release's evaluation; time is linear in the length of the response.)

    Args:
        response: What the model wrote.
        answer_key: What precedes the final answer (`####`).
    """
    text = response.split("Question", 1)[0].strip()
    answer = _after(f"{answer_key} ", text) or _first_number(_after(_FALLBACK_KEY, text))
    return answer[:-_ITS_PUBLISHED_LENGTH] if _END_OF_SEQUENCE in answer else answer


def last_number(response: str) -> str:
    """The last number of a response, without commas, up to where the model starts a new "Question".

    The usual lenient way to read an answer to a word problem, whatever format it is in; not the release's.
    """
    numbers = _NUMBER.findall(response.split("Question", 1)[0].replace(",", ""))
    return numbers[-1].removesuffix(".") if numbers else ""


def _after(mark: str, text: str) -> str:
    """What follows the leftmost mark from which no line break is left to the end of the text."""
    last_line = text.rfind("\n") + 1
    start = text.find(mark, max(0, last_line - len(mark)))
    return "" if start < 0 else text[start + len(mark) :]


def _first_number(text: str) -> str:
    number = _NUMBER.search(text.replace(",", ""))
    return number[0].removesuffix(".") if number else ""
