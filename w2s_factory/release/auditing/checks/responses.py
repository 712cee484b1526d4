"""Responses and gold solutions that teach nothing: near-empty, repetitive, shared, overlong."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from w2s_factory.release.auditing.corpus import prompt_of, responses, solution_of
from w2s_factory.release.auditing.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from w2s_factory.release.auditing.corpus import Corpus, File
    from w2s_factory.release.auditing.forms import Kind

NEAR_EMPTY = 10
"""Characters below which a response is near-empty: there is no room for a step before the answer."""

REPEATED_LINES = 5
"""As often a line stands in a response that repeats itself."""

_COMPRESSED, _LONG_ENOUGH = 0.15, 300
"""A response of so many characters repeats itself too if it can be compressed to this share."""

SHARED, SHARED_SHORT, SHORT = 3, 8, 40
"""To as many different questions a response is the same one; more if it has fewer than 40 characters, since
two short calculations may well be alike."""

OUTLYING = 10
"""As many times the median length an outlier has."""


def near_empty(corpus: Corpus) -> Iterator[Found]:
    """Responses of fewer than 10 characters."""
    return _each(
        corpus, lambda text: len(text.strip()) < NEAR_EMPTY, f"have fewer than {NEAR_EMPTY} characters"
    )


def repetitive(corpus: Corpus) -> Iterator[Found]:
    """Responses that say the same again and again."""
    return _each(corpus, repeats_itself, "repeat themselves")


def outlying(corpus: Corpus) -> Iterator[Found]:
    """Responses ten times as long as the median of their file."""
    for file in _files(corpus, "sft", "pairs", "results", "split"):
        lengths = [len(text) for _, text in _texts(file)]
        if lengths:
            what = f"are longer than {OUTLYING} times the median of {median(lengths):,.0f} characters"
            yield from _in_file(file, partial(_longer, OUTLYING * median(lengths)), what)


def shared(corpus: Corpus) -> Iterator[Found]:
    """One response to three or more different questions (a short one: to eight)."""
    for file in _files(corpus, "sft", "results"):
        questions: dict[str, set[str]] = defaultdict(set)
        for row in file.rows:
            for text in responses(file.kind, row):
                questions[text.strip()].add(prompt_of(row))
        many = {text: len(asked) for text, asked in questions.items() if len(asked) >= _allowed(text)}
        if many:
            rows = sum(many.values())
            texts = "one text" if len(many) == 1 else f"one of {len(many)} texts"
            text = f"{rows} of {len(file.rows):,} responses are {texts}, whatever is asked"
            top = (f"{count} times: {text}" for text, count in Counter(many).most_common())
            yield Found(file.name, rows, len(file.rows), text, few(top))


def _allowed(text: str) -> int:
    return SHARED if len(text) >= SHORT else SHARED_SHORT


def repeats_itself(text: str) -> bool:
    """Whether a line stands five times in a text, or it is long and hardly more than one phrase."""
    lines = Counter(line.strip() for line in text.splitlines() if line.strip())
    if any(count >= REPEATED_LINES for count in lines.values()):
        return True
    raw = text.encode("utf-8", "surrogatepass")
    return len(text) >= _LONG_ENOUGH and len(zlib.compress(raw)) < _COMPRESSED * len(raw)


def _each(corpus: Corpus, wrong: Callable[[str], bool], what: str) -> Iterator[Found]:
    for file in _files(corpus, "sft", "pairs", "results", "split"):
        yield from _in_file(file, wrong, what)


def _longer(limit: float, text: str) -> bool:
    return len(text) > limit


def _files(corpus: Corpus, *kinds: Kind) -> Iterator[File]:
    """The files of these kinds, without hybrid sets whose rows are looked at in the weak and the icl set."""
    sides = {(file.stage1, file.parts["side"]) for file in corpus.of("sft") if file.stage1}
    for file in corpus.of(*kinds):
        apart = file.stage1 and {(file.stage1, "weak"), (file.stage1, "icl")} <= sides
        if not (apart and file.parts["side"] == "hybrid"):
            yield file


def _in_file(file: File, wrong: Callable[[str], bool], what: str) -> Iterator[Found]:
    texts = list(_texts(file))
    found = [f"id {name}: {text}" for name, text in texts if wrong(text)]
    if found:
        text = f"{len(found)} of {len(texts):,} responses {what}"
        yield Found(file.name, len(found), len(texts), text, few(found))


def _texts(file: File) -> Iterator[tuple[object, str]]:
    """The responses of a file, or gold solutions, with the id of their row (without one: its place)."""
    for place, row in zip(file.places, file.rows, strict=True):
        for text in [solution_of(row)] if file.kind == "split" else responses(file.kind, row):
            yield row.get("id", place), text
