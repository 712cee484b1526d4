"""What scoring needs to know of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from w2s_factory.scoring.modes import Comparison


class Scorable(Protocol):
    """A task, as far as its answers go (`w2s_factory.tasks.Task` is one)."""

    @property
    def name(self) -> str:
        """What commands call it."""

    @property
    def answer_key(self) -> str:
        """The text that precedes the final answer in a response."""

    @property
    def slow_comparison(self) -> bool:
        """Whether `equal` may hang, so that it runs in a process that can be killed."""

    def extract(self, response: str, answer_key: str | None = None) -> str:
        """The final answer of a response as written; empty if there is none."""

    def extract_any(self, response: str) -> str:
        """The final answer of a response in whatever format it was given; empty if there is none."""

    def normalise(self, answer: str) -> str:
        """The form in which an answer is compared."""

    def normalise_gold(self, answer: str) -> str | None:
        """The form in which the gold of a test row is compared with normalised answers; None if unknown."""

    def is_answer(self, gold: str) -> bool:
        """Whether the gold of a test row is an answer and says no more, so that any mode can compare it."""

    def equal(self, pred: str, gold: str) -> bool:
        """Whether a normalised prediction is right."""

    def comparison(self) -> Comparison:
        """How `equal` finds its verdict: what is certain at once, and what needs a worker."""
