"""Label noise, where golds are known: no fault, since weak labels are what the method learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.release.auditing.checks.golds import known_golds
from w2s_factory.release.auditing.checks.splits import asked
from w2s_factory.release.auditing.corpus import pair_of
from w2s_factory.release.auditing.finding import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.auditing.corpus import Corpus


def wrong_responses(corpus: Corpus) -> Iterator[Found]:
    """How many responses of a weak or icl set are wrong."""
    golds = known_golds(corpus)
    for file in corpus.of("sft"):
        task = corpus.text_task_of(file)
        if task is None or not file.parts:
            continue
        known = [(row, gold) for row in file.rows if (gold := golds.get(asked(row)))]
        wrong = sum(task.normalise(task.extract(row["output"])) != gold for row, gold in known)
        if known:
            text = f"{wrong:,} of {len(known):,} responses are wrong ({wrong / len(known):.1%})"
            yield Found(file.name, wrong, len(known), text)


def wrong_preferences(corpus: Corpus) -> Iterator[Found]:
    """How many pairs prefer a wrong response to a right one."""
    golds = known_golds(corpus)
    for file in corpus.of("pairs"):
        task = corpus.text_task_of(file)
        if task is None:
            continue
        known = [(row, gold) for row in file.rows if (gold := golds.get(asked(row)))]
        verdicts = [
            [task.normalise(task.extract(text)) == gold for text in pair_of(row)] for row, gold in known
        ]
        if known:
            inverted = verdicts.count([False, True])
            right = verdicts.count([True, False])
            text = (
                f"{inverted:,} of {len(known):,} pairs prefer a wrong response to a right one, "
                f"{right:,} a right to a wrong one; in {verdicts.count([False, False]):,} both are wrong"
            )
            yield Found(file.name, inverted, len(known), text)
