"""Checks of the text of responses: too short, too long, repetitive, or the same for many questions."""

from __future__ import annotations

import zlib
from array import array
from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING

from w2s_factory.records import text_digest
from w2s_factory.release.audit.corpus import prompt_of, responses, solution_of
from w2s_factory.release.audit.finding import Occurrence, check
from w2s_factory.release.audit.tally import EXAMPLES, few, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from w2s_factory.release.audit.corpus import Corpus, File, Kind

NEAR_EMPTY = 10
"""The number of characters below which a response has no room for a step before the answer."""

REPEATED_LINES = 5
"""The number of times a line occurs in a response that repeats itself."""

_COMPRESSED, _LONG_ENOUGH = 0.15, 300
"""A response of at least so many characters repeats itself too if it can be compressed to this share."""

SHARED, SHARED_SHORT, SHORT = 3, 8, 40
"""The number of questions from which on one response to them all is reported: 3, or 8 if the response has
fewer than 40 characters, since two short calculations may well be alike."""

OUTLYING = 10
"""The multiple of the median length above which a response is an outlier."""


@check(
    "near-empty",
    title="Responses of fewer than 10 characters",
    consequence="There is an answer at most, no reasoning to learn from.",
    instead="Responses are kept as the model wrote them; this check names them.",
)
def near_empty(corpus: Corpus) -> Iterator[Occurrence]:
    """Find responses of fewer than 10 characters."""
    for file in _files_with_texts(corpus):
        problem = f"have fewer than {NEAR_EMPTY} characters"
        yield from _texts_that(file, lambda text: len(text.strip()) < NEAR_EMPTY, problem)


@check(
    "repetitive",
    title="Responses that repeat themselves",
    consequence="The model learns to repeat itself until the length limit.",
    instead="Responses are kept as the model wrote them; this check names them.",
)
def repetitive(corpus: Corpus) -> Iterator[Occurrence]:
    """Find responses that repeat a line or a phrase many times."""
    for file in _files_with_texts(corpus):
        yield from _texts_that(file, repeats_itself, "repeat themselves")


def repeats_itself(text: str) -> bool:
    """Return whether a text has one line five times, or is long and little more than one phrase."""
    lines = Counter(line.strip() for line in text.splitlines() if line.strip())
    if any(count >= REPEATED_LINES for count in lines.values()):
        return True
    raw = text.encode("utf-8", "surrogatepass")
    return len(text) >= _LONG_ENOUGH and len(zlib.compress(raw)) < _COMPRESSED * len(raw)


@check(
    "shared-responses",
    title="One response to many questions",
    consequence="A demonstration was copied, or the model gives one response whatever the question.",
    instead="`generate --exclude-demos` leaves a demonstration out where its question is asked.",
)
def shared_responses(corpus: Corpus) -> Iterator[Occurrence]:
    """Find responses given to three or more different questions (short ones: to eight)."""
    for file in _files_of(corpus, "sft", "results"):
        counts = Counter(text_digest(text) for text, _ in _asked(file))
        often = {digest for digest, count in counts.items() if count >= SHARED}
        del counts
        questions: dict[bytes, set[bytes]] = defaultdict(set)
        short: set[bytes] = set()
        for text, prompt in _asked(file) if often else ():
            digest = text_digest(text)
            if digest in often:
                questions[digest].add(text_digest(prompt))
                short |= {digest} if len(text) < SHORT else set()
        many = {
            digest: len(prompts)
            for digest, prompts in questions.items()
            if len(prompts) >= (SHARED_SHORT if digest in short else SHARED)
        }
        if many:
            rows = sum(many.values())
            texts = "one text" if len(many) == 1 else f"one of {len(many)} texts"
            message = f"{rows} of {len(file.rows):,} responses are {texts}, whatever the question"
            yield Occurrence(file.name, rows, len(file.rows), message, few(_most_shared(file, many)))


def _asked(file: File) -> Iterator[tuple[str, str]]:
    """Yield the responses of a file, without white space at their ends, with their prompts."""
    return ((text.strip(), prompt_of(row)) for row in file.rows for text in responses(file.kind, row))


def _most_shared(file: File, many: Mapping[bytes, int]) -> Iterator[str]:
    """Yield the number of questions and the text of the few responses given to most questions."""
    top = dict(Counter(many).most_common(EXAMPLES))
    texts = {digest: text for text, _ in _asked(file) if (digest := text_digest(text)) in top}
    return (f"{count} times: {texts[digest]}" for digest, count in top.items())


@check(
    "length-outliers",
    title="Responses more than ten times as long as the median",
    consequence="They are cut at cutoff_len, which removes the final answer.",
    instead="`train` measures lengths with the model's tokenizer and drops rows that would be cut.",
)
def length_outliers(corpus: Corpus) -> Iterator[Occurrence]:
    """Find responses more than ten times as long as the median of their file."""
    for file in _files_with_texts(corpus):
        lengths = array("q", (len(text) for _, text in _texts(file)))
        if lengths:
            yield from _longer_than(file, median(lengths))


def _longer_than(file: File, usual: float) -> Iterator[Occurrence]:
    problem = f"are longer than {OUTLYING} times the median of {usual:,.0f} characters"
    return _texts_that(file, lambda text: len(text) > OUTLYING * usual, problem)


def _texts_that(file: File, is_wrong: Callable[[str], bool], problem: str) -> Iterator[Occurrence]:
    """Yield what is wrong with the texts of a file, if it is wrong with any.

    Args:
        file: The file.
        is_wrong: Whether a text has the problem.
        problem: The problem, as the predicate of a sentence about responses.
    """
    total, wrong, shown = tally(
        f"id {name}: {text}" if is_wrong(text) else None for name, text in _texts(file)
    )
    if wrong:
        message = f"{wrong} of {total:,} responses {problem}"
        yield Occurrence(file.name, wrong, total, message, shown)


def _texts(file: File) -> Iterator[tuple[object, str]]:
    """Yield the responses of a file, or gold solutions, with the id of their row (without one: its place)."""
    for place, row in zip(file.places, file.rows, strict=True):
        for text in [solution_of(row)] if file.kind == "split" else responses(file.kind, row):
            yield row.get("id", place), text


def _files_with_texts(corpus: Corpus) -> Iterator[File]:
    return _files_of(corpus, "sft", "pairs", "results", "split")


def _files_of(corpus: Corpus, *kinds: Kind) -> Iterator[File]:
    """Yield the files of these kinds, without hybrid sets whose weak and icl set are checked themselves."""
    sides = {(file.stage1, file.parts["side"]) for file in corpus.of("sft") if file.stage1}
    for file in corpus.of(*kinds):
        has_sides = file.stage1 and {(file.stage1, "weak"), (file.stage1, "icl")} <= sides
        if not (has_sides and file.parts["side"] == "hybrid"):
            yield file
