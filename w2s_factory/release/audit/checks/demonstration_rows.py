"""Checks of demonstrations: those in a demonstrations file, and the release's for OlympicArena."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.release.audit.corpus import prompt_of, responses
from w2s_factory.release.audit.finding import Occurrence, check
from w2s_factory.release.audit.tally import few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus

OLYMPIC_DEMONSTRATIONS = (
    ("Biology_16", "Biology_1120"),
    ("Biology_16", "Physics_971"),
    ("Biology_16", "Math_609"),
    ("Biology_16", "Biology_16"),
)
"""The release's OlympicArena demonstrations: the id of the question shown, the id of the response shown."""


@check(
    "demonstrations",
    title="Demonstrations that show one question several times",
    consequence="The model is shown answers to other questions than the one above them.",
    instead="`demos` takes question and response of one row.",
)
def repeated_demonstrations(corpus: Corpus) -> Iterator[Occurrence]:
    """Find demonstrations files that show one question several times."""
    for file in corpus.of("demonstrations"):
        prompts = Counter(prompt_of(row) for row in file.rows)
        wrong = [f"id {row['id']}" for row in file.rows if prompts[prompt_of(row)] > 1]
        if wrong:
            text = f"{len(wrong)} of {len(file.rows)} demonstrations show one and the same question"
            yield Occurrence(file.name, len(wrong), len(file.rows), text, few(wrong))


@check(
    "olympic-demonstrations",
    title="OlympicArena demonstrations that answer another question",
    consequence="The strong model is shown three answers to other questions; many icl responses copy one.",
    instead="`demos` takes question and response of one row.",
    release_only=True,
)
def olympic_demonstrations(corpus: Corpus) -> Iterator[Occurrence]:
    """Report the release's OlympicArena demonstrations, which are in none of its data files.

    They are reported, with their texts, where the rows they are taken from are in the folder.
    """
    texts: dict[object, tuple[str, str]] = {}
    for file in corpus.of("sft"):
        if file.path.parent.name == "olympicarena" and file.parts.get("side") != "icl":
            for row in file.rows:
                texts.setdefault(row["id"], (prompt_of(row), responses(file.kind, row)[0]))
    total = len(OLYMPIC_DEMONSTRATIONS)
    wrong = [(question, answer) for question, answer in OLYMPIC_DEMONSTRATIONS if question != answer]
    if all(name in texts for pair in wrong for name in pair):
        text = f"{len(wrong)} of {total} demonstrations answer another question than the one they show"
        shown = (f"{question} answered as {answer}: {texts[answer][1]}" for question, answer in wrong)
        yield Occurrence("data/llama_factory/olympicarena", len(wrong), total, text, few(shown))
