"""Demonstrations whose response does not answer their question."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.release.auditing.corpus import prompt_of, responses
from w2s_factory.release.auditing.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.auditing.corpus import Corpus

OLYMPIC = (
    ("Biology_16", "Biology_1120"),
    ("Biology_16", "Physics_971"),
    ("Biology_16", "Math_609"),
    ("Biology_16", "Biology_16"),
)
"""The release's OlympicArena demonstrations: whose question, whose response."""


def of_other_questions(corpus: Corpus) -> Iterator[Found]:
    """Demonstrations files with one question several times, or a response that is another row's."""
    for file in corpus.of("demonstrations"):
        prompts = Counter(prompt_of(row) for row in file.rows)
        wrong = [f"id {row['id']}" for row in file.rows if prompts[prompt_of(row)] > 1]
        if wrong:
            text = f"{len(wrong)} of {len(file.rows)} demonstrations show one and the same question"
            yield Found(file.name, len(wrong), len(file.rows), text, few(wrong))


def published_olympic(corpus: Corpus) -> Iterator[Found]:
    """The release's OlympicArena demonstrations, with the texts where the rows are here."""
    texts: dict[object, tuple[str, str]] = {}
    for file in corpus.of("sft"):
        if file.path.parent.name == "olympicarena" and file.parts.get("side") != "icl":
            for row in file.rows:
                texts.setdefault(row["id"], (prompt_of(row), responses(file.kind, row)[0]))
    wrong = [(question, answer) for question, answer in OLYMPIC if question != answer]
    if all(name in texts for pair in wrong for name in pair):
        text = f"{len(wrong)} of {len(OLYMPIC)} demonstrations answer another question than the one they show"
        shown = (f"{question} answered as {answer}: {texts[answer][1]}" for question, answer in wrong)
        yield Found("data/llama_factory/olympicarena", len(wrong), len(OLYMPIC), text, few(shown))
