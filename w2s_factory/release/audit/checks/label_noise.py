"""Measurements of label noise: the share of wrong responses and of inverted pairs, where golds are known."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.release.audit.corpus import pair_of
from w2s_factory.release.audit.finding import Occurrence, check
from w2s_factory.release.audit.known_golds import final_answer, known_golds, rows_with_golds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus


@check(
    "label-noise",
    title="Wrong responses, where golds are known",
    consequence="This share of the labels the strong model is trained on is wrong.",
    instead="No gold filters training data, as in the paper; `build-data` prints the same accuracies.",
    fault=False,
)
def wrong_responses(corpus: Corpus) -> Iterator[Occurrence]:
    """Count the wrong responses of each weak or icl set."""
    golds = known_golds(corpus)
    for file in corpus.of("sft"):
        task = corpus.text_task_of(file)
        if task is None or not file.parts:
            continue
        rows = rows_with_golds(file, golds)
        verdicts = Counter(final_answer(task, row["output"]) == gold for row, gold in rows)
        known, wrong = verdicts.total(), verdicts[False]
        if known:
            text = f"{wrong:,} of {known:,} responses are wrong ({wrong / known:.1%})"
            yield Occurrence(file.name, wrong, known, text)


@check(
    "preference-noise",
    title="Pairs that prefer a wrong response, where golds are known",
    consequence="Stage II trains the model towards the wrong response on them.",
    instead="Higher confidences (--min-confidence, --negative-confidence) give fewer pairs, fewer wrong.",
    fault=False,
)
def wrong_preferences(corpus: Corpus) -> Iterator[Occurrence]:
    """Count the pairs that prefer a wrong response to a right one."""
    golds = known_golds(corpus)
    for file in corpus.of("pairs"):
        task = corpus.text_task_of(file)
        if task is None:
            continue
        rows = rows_with_golds(file, golds)
        verdicts = Counter(
            tuple(final_answer(task, text) == gold for text in pair_of(row)) for row, gold in rows
        )
        known = verdicts.total()
        if known:
            inverted, right, neither = (
                verdicts[pair] for pair in ((False, True), (True, False), (False, False))
            )
            text = (
                f"{inverted:,} of {known:,} pairs prefer a wrong response to a right one, "
                f"{right:,} a right to a wrong one; in {neither:,} both are wrong"
            )
            yield Occurrence(file.name, inverted, known, text)
