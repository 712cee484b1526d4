"""The rules of the published release for GSM8K and MATH, which other tasks may choose, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from w2s_factory.answers.extraction import final_answer
from w2s_factory.answers.normalisation import normalise
from w2s_factory.tasks.base import Task

NEXT_QUESTION: Final = ("Question", "Answer")
"""Texts with which a base model, after its response, makes up the next question."""

PUBLISHED_STOP: Final = (*NEXT_QUESTION, "<|eot_id|>")
"""All stop texts of the published runs; the last one is OlympicArena's."""


@dataclass(frozen=True, kw_only=True)
class PublishedTask(Task):
    """A task scored by the rules of the published release, oddities included.

    The final answer follows the answer key (`####`) on the last line of the response, which ends where
    the model writes "Question". It is normalised for school mathematics: units and the text "an " are
    deleted anywhere, fractions and roots are completed, commas in numbers are removed. Generation stops at
    "Question" and "Answer", and a response is written without full stops at its ends. Choose these rules for
    answers that are numbers or LaTeX; they call other, different answers equal (`5 km` and `5 feet`).
    """

    answer_key: str = "####"
    stop: tuple[str, ...] = NEXT_QUESTION

    def written_response(self, text: str) -> str:
        """Return a generated text without whitespace, and then without full stops, at both ends."""
        return text.strip().strip(".") if self.strip_response else text

    def extract(self, response: str, answer_key: str | None = None) -> str:
        """Return the final answer of a response as written, see `final_answer`; empty if there is none."""
        return final_answer(response, self.answer_key if answer_key is None else answer_key)

    def normalise(self, answer: str) -> str:
        """Return an answer as the release compares it."""
        return normalise(answer)
