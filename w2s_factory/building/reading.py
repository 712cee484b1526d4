"""Reading of responses for training sets: the part that is trained on (`--train-on`), and final answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from w2s_factory.answers.thinking import DEFAULT_MARKERS, split_thinking, with_start
from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.answers.thinking import Markers
    from w2s_factory.records import Result

TrainOn: TypeAlias = Literal["whole", "answer"]
"""The part of a response that is trained on: all of it, or the answer that follows the thinking."""

PARTS: Final[tuple[TrainOn, ...]] = get_args(TrainOn)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a stage reads responses.

    Attributes:
        train_on: The part that is trained on.
        markers: The markers of thinking, of which those found in a response hold for it.

    Raises:
        UserError: `train_on` is not one of the parts.
    """

    train_on: TrainOn = "whole"
    markers: Sequence[Markers] = DEFAULT_MARKERS

    def __post_init__(self) -> None:
        if self.train_on not in PARTS:
            problem = f"expected {' or '.join(PARTS)}, got {self.train_on!r}"
            raise UserError(problem, field="train_on")

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifest notes of it: what differs from the published way."""
        return {} if self.train_on == "whole" else {"train_on": self.train_on}

    def text(self, response: str, row: Mapping[str, Any]) -> str | None:
        """Return the text of a response that is trained on; None if there is nothing to train on.

        There is nothing where the request failed, where the thinking never ended, or where the answer is
        wanted and empty. If the prompt opened the thinking, the whole response begins with the marker
        that is in the prompt and not in the response: LLaMA-Factory's prompts end before it.

        Args:
            response: The response.
            row: The output, result, vote's sample or training row that it is from.
        """
        opened = row.get("prompt_opens_thinking", False)
        if "error" in row:
            return None
        parts = split_thinking(response, opened=opened, markers=self.markers)
        if not parts.closed:
            return None
        if self.train_on == "answer":
            return parts.answer or None
        return with_start(response, self.markers) if opened else response

    def is_trainable(self, *rows: Result) -> bool:
        """Return whether the responses of all rows can be trained on."""
        return all(self.text(row["response"], row) is not None for row in rows)


def trainable_texts(response: str, row: Mapping[str, Any], markers: Sequence[Markers]) -> set[str]:
    """Return the texts of a response that a model may be trained on: the whole one, and its answer."""
    texts = (Reading(train_on=part, markers=markers).text(response, row) for part in PARTS)
    return {text for text in texts if text is not None}
