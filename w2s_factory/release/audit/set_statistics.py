"""The sizes and label accuracies of training sets, which the paper gives in its data tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.release.audit.corpus import pair_of
from w2s_factory.release.audit.known_golds import final_answer, known_golds, rows_with_golds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.release.audit.corpus import Corpus, File
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class SetStatistics:
    """The size and the label accuracy of one training set of the pipeline.

    Attributes:
        task: The task, as the file's name has it.
        weak: The weak model.
        kind: `full_weak`, `iter1`, `iter1_wo_aug` (before padding), `iter2_hybrid_paired`.
        questions: The number of different ids; for Stage I, the number of questions kept.
        rows: The number of responses of one side, or of pairs.
        accuracy: The share of right responses, 0 to 1, among those with a known gold. Its keys are the
            sides `weak` and `icl`, or for pairs `chosen` and `rejected`; a side that the folder lacks, or
            that has no known golds, has no key.
    """

    task: str
    weak: str
    kind: str
    questions: int
    rows: int
    accuracy: dict[str, float]


def statistics(corpus: Corpus) -> list[SetStatistics]:
    """Return the statistics of each full weak, Stage I and pair set, in the order of their names."""
    grouped: dict[tuple[str, str, str], dict[str, File]] = defaultdict(dict)
    for file in corpus.of("sft", "pairs"):
        side = file.parts.get("side", "")
        if file.weak_model and side != "hybrid":
            kind = file.parts["kind"].replace(f"_{side}", "") if side else file.parts["kind"]
            grouped[*file.weak_model, kind][side or "weak"] = file
    golds = known_golds(corpus)
    return [_of_set(corpus, *key, files, golds) for key, files in grouped.items()]


def _of_set(
    corpus: Corpus, task: str, weak: str, kind: str, files: Mapping[str, File], golds: Mapping[bytes, str]
) -> SetStatistics:
    first = next(iter(files.values()))
    accuracy: dict[str, float] = {}
    for side, file in files.items():
        text_task = corpus.text_task_of(file)
        if text_task:
            accuracy |= dict(_accuracies(text_task, side, file, golds))
    return SetStatistics(task, weak, kind, len({row["id"] for row in first.rows}), len(first.rows), accuracy)


def _accuracies(task: Task, side: str, file: File, golds: Mapping[bytes, str]) -> Iterator[tuple[str, float]]:
    """Yield each side of a file with its accuracy, if any golds are known."""
    sides = ("chosen", "rejected") if file.kind == "pairs" else (side,)
    right, known = [0] * len(sides), 0
    for row, gold in rows_with_golds(file, golds):
        known += 1
        texts = pair_of(row) if file.kind == "pairs" else [row["output"]]
        for place, text in enumerate(texts):
            right[place] += final_answer(task, text) == gold
    if known:
        yield from ((name, count / known) for name, count in zip(sides, right, strict=True))
