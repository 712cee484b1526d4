"""Label noise, where golds are known: no fault, since weak labels are what the method learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.release.audit.checks.results import known_golds
from w2s_factory.release.audit.checks.splits import bare, normal
from w2s_factory.release.audit.corpus import pair_of, prompt_of
from w2s_factory.release.audit.finding import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus


def wrong_responses(corpus: Corpus) -> Iterator[Found]:
    """How many responses of a weak or icl set are wrong."""
    golds = known_golds(corpus)
    for file in corpus.of("sft"):
        task = corpus.task_of(file)
        if task is None or "kind" not in file.parts or task.slow_comparison:
            continue
        known = [(row, gold) for row in file.rows if (gold := golds.get(normal(bare(prompt_of(row)))))]
        wrong = sum(task.normalise(task.extract(row["output"])) != gold for row, gold in known)
        if known:
            text = f"{wrong:,} of {len(known):,} responses are wrong ({wrong / len(known):.1%})"
            yield Found(file.name, wrong, len(known), text)


def wrong_preferences(corpus: Corpus) -> Iterator[Found]:
    """How many pairs prefer a wrong response to a right one."""
    golds = known_golds(corpus)
    for file in corpus.of("pairs"):
        task = corpus.task_of(file)
        if task is None or task.slow_comparison:
            continue
        known = [(row, gold) for row in file.rows if (gold := golds.get(normal(bare(prompt_of(row)))))]
        verdicts = [
            [task.normalise(task.extract(text)) == gold for text in pair_of(row)] for row, gold in known
        ]
        if known:
            inverted = verdicts.count([False, True])
            right = verdicts.count([True, False])
            text = (
                f"{inverted:,} of {len(known):,} pairs prefer a wrong response to a right one ({right:,} a right "
                f"to a wrong one, {verdicts.count([False, False]):,} are both wrong)"
            )
            yield Found(file.name, inverted, len(known), text)
