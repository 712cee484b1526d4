"""Thinking and answer: the two parts of a response, which markers separate.

Qwen3 and the R1 distills write `<think>...</think>`, Magistral `[THINK]...[/THINK]`, gpt-oss channels in the
harmony format, of which only the channel `final` is the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, get_args

from w2s_factory.errors import UserError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Markers:
    """The texts at the start and the end of thinking.

    Raises:
        UserError: One of them is not text or is empty, or both are the same.
    """

    start: str
    end: str

    def __post_init__(self) -> None:
        for name, marker in (("start", self.start), ("end", self.end)):
            if not isinstance(marker, str) or not marker.strip():
                raise UserError(
                    f"expected text that is not empty, got {shown(marker)}", field=f"reasoning {name}"
                )
        if self.start == self.end:
            raise UserError(
                "the start and the end of thinking have the same marker",
                field="reasoning end",
                hint="Without two different markers, thinking cannot be separated from the answer",
            )


ResponsePart: TypeAlias = Literal["whole", "answer"]
"""A part of a response: all of it, or the answer that follows the thinking."""

RESPONSE_PARTS: Final[tuple[ResponsePart, ...]] = get_args(ResponsePart)

HARMONY: Final = Markers("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")
"""The markers of gpt-oss. Every channel but `final` counts as thinking, whatever its name."""

DEFAULT_MARKERS: Final[tuple[Markers, ...]] = (
    Markers("<think>", "</think>"),
    Markers("[THINK]", "[/THINK]"),
    HARMONY,
)

_CHANNEL: Final = "<|channel|>"
_FINAL: Final = re.compile(r"<\|channel\|>\s*+final\b[^<]*+(?:<\|constrain\|>[^<]*+)?<\|message\|>")
_END_OF_MESSAGE: Final = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_ANY: Final = ""
"""The end that closes thinking which the prompt opened: that of any markers."""


class ThinkingAndAnswer(NamedTuple):
    """The parts of a response.

    Attributes:
        thinking: The text before the last end of thinking, without the first start and the last end; "" if
            there is no thinking.
        answer: The text after the last end of thinking, without the whitespace that follows the marker; the
            whole response if there is no thinking; "" if the thinking did not end.
        closed: Whether the thinking ended; True if there is none.
    """

    thinking: str
    answer: str
    closed: bool


def split_thinking(
    response: str, *, opened: bool = False, markers: Sequence[Markers] = DEFAULT_MARKERS
) -> ThinkingAndAnswer:
    """Return the thinking and the answer of a response.

    The answer follows the last end of thinking, also where the start is missing because the prompt ended
    with it. A start after that means that the thinking did not end. Between a start and its own end, other
    markers are part of the thinking. In the harmony format the answer is the last message in the channel
    `final`. The time is linear in the length of the response.

    Args:
        response: The text that the model wrote.
        opened: Whether the prompt ended inside thinking (`prompt_opens_thinking`).
        markers: The markers that may occur.
    """
    tags = _DEFAULT_TAGS if markers is DEFAULT_MARKERS else _without_harmony(markers)
    if _CHANNEL in response and HARMONY in markers and _comes_first(response, tags):
        return _of_channels(response)
    if not opened and not _has_tag(response, tags):
        return ThinkingAndAnswer("", response, closed=True)
    return _of_tags(response, tags, opened=opened)


def _without_harmony(markers: Sequence[Markers]) -> tuple[Markers, ...]:
    return tuple(pair for pair in markers if pair != HARMONY)


_DEFAULT_TAGS: Final = _without_harmony(DEFAULT_MARKERS)


def _has_tag(response: str, tags: tuple[Markers, ...]) -> bool:
    for pair in tags:  # noqa: SIM110  a generator takes twice as long, for each of millions of responses
        if pair.start in response or pair.end in response:
            return True
    return False


def possible_markers(markers: Markers | None) -> tuple[Markers, ...]:
    """Return the markers that may occur in responses: those given, or those known by default if None."""
    return DEFAULT_MARKERS if markers is None else (markers,)


def is_opened(row: Mapping[str, Any]) -> bool:
    """Return whether the prompt of an output, result or sample opened the thinking."""
    return bool(row.get("prompt_opens_thinking", False))


def parts_of(row: Mapping[str, Any], markers: Markers | None = None) -> ThinkingAndAnswer:
    """Return the thinking and the answer of the response in an output, result or sample of a vote.

    Args:
        row: The row.
        markers: The markers of thinking; None for those known by default.
    """
    return split_thinking(row["response"], opened=is_opened(row), markers=possible_markers(markers))


def text_of(row: Mapping[str, Any], markers: Markers | None = None, *, answer_alone: bool) -> str | None:
    """Return a response as a model is shown it or trained on it; None if it has no answer.

    It has none if the request failed or the thinking did not end. If the prompt opened the thinking, the
    whole response begins with the marker that is in the prompt and not in the response: the prompts of
    training end before it.

    Args:
        row: The output, result or sample of a vote.
        markers: The markers of thinking; None for those known by default.
        answer_alone: Whether to return the answer without the thinking.
    """
    parts = parts_of(row, markers)
    if "error" in row or not parts.closed:
        return None
    if answer_alone:
        return parts.answer
    return with_start(row["response"], markers) if is_opened(row) else row["response"]


def _comes_first(response: str, tags: Sequence[Markers]) -> bool:
    """Return whether the first marker is that of a channel, so that the others are only text."""
    return not _has_tag(response[: response.index(_CHANNEL)], tuple(tags))


def _of_channels(response: str) -> ThinkingAndAnswer:
    """Return the parts of a response in the harmony format."""
    last = None
    for last in _FINAL.finditer(response):  # noqa: B007  the last one is used
        pass
    if last is None:
        return ThinkingAndAnswer(response, "", closed=False)
    end = _END_OF_MESSAGE.search(response, last.end())
    answer = response[last.end() : end.start() if end else None]
    return ThinkingAndAnswer(response[: last.start()], answer.lstrip(), closed=True)


def _of_tags(response: str, tags: tuple[Markers, ...], *, opened: bool) -> ThinkingAndAnswer:
    """Return the parts of a response with paired markers."""
    ends = {pair.start: pair.end for pair in tags}
    awaited: str | None = _ANY if opened else None
    first = last = None
    for marker in _expression(tags).finditer(response):
        text = marker[0]
        first = first or marker
        if text not in ends and awaited in (None, _ANY, text):
            awaited, last = None, marker
        elif text in ends and awaited is None:
            awaited = ends[text]
    begin = first.end() if first and first[0] in ends and not response[: first.start()].strip() else 0
    if awaited is not None:
        return ThinkingAndAnswer(response[begin:], "", closed=False)
    if last is None:
        return ThinkingAndAnswer("", response, closed=True)
    return ThinkingAndAnswer(response[begin : last.start()], response[last.end() :].lstrip(), closed=True)


@lru_cache
def _expression(tags: tuple[Markers, ...]) -> re.Pattern[str]:
    """Return the expression of all markers, longer ones first, so that none hides one that it begins."""
    texts = {text for pair in tags for text in (pair.start, pair.end)}
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


_OPENINGS: Final = {"<think>": "<think>\n"}
"""The text with which chat templates open the thinking, where it is more than the marker, by marker."""


def with_start(response: str, markers: Markers | None = None) -> str:
    """Return a response to a prompt that opened its thinking, with the start that is in the prompt alone.

    Args:
        response: The text that the model wrote.
        markers: The markers of thinking, which are taken as they are; None for those known by default.
    """
    start = next((pair.start for pair in possible_markers(markers) if pair.end in response), "")
    if response.startswith(start):
        return response
    return (_OPENINGS.get(start, start) if markers is None else start) + response
