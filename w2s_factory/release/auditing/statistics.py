"""The numbers of the paper's data tables, from the files: how much each set keeps, and how right it is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.release.auditing.checks.golds import known_golds
from w2s_factory.release.auditing.checks.splits import asked
from w2s_factory.release.auditing.corpus import pair_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.release.auditing.corpus import Corpus, File
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class SetStatistics:
    """A training set of the pipeline, named as in the release.

    Attributes:
        task: As the file's name has it.
        weak: The weak model.
        kind: `full_weak`, `iter1`, `iter1_wo_aug` (before padding), `iter2_hybrid_paired`.
        questions: Different ids in it: for Stage I, the questions kept.
        rows: Responses of a side, or pairs.
        accuracy: The share of right responses, 0 to 1, among those with a known gold, by side: `weak` and
            `icl`; of pairs `chosen` and `rejected`. A side that is not here, or has no golds, is missing.
    """

    task: str
    weak: str
    kind: str
    questions: int
    rows: int
    accuracy: dict[str, float]


def statistics(corpus: Corpus) -> list[SetStatistics]:
    """The statistics of each full weak, Stage I and pair set, in the order of their names."""
    grouped: dict[tuple[str, str, str], dict[str, File]] = defaultdict(dict)
    for file in corpus.of("sft", "pairs"):
        side = file.parts.get("side", "")
        if file.weak_model and side != "hybrid":
            kind = file.parts["kind"].replace(f"_{side}", "") if side else file.parts["kind"]
            grouped[*file.weak_model, kind][side or "weak"] = file
    golds = known_golds(corpus)
    return [_of_set(corpus, *key, files, golds) for key, files in grouped.items()]


def _of_set(
    corpus: Corpus, task: str, weak: str, kind: str, files: Mapping[str, File], golds: Mapping[str, str]
) -> SetStatistics:
    first = next(iter(files.values()))
    accuracy: dict[str, float] = {}
    for side, file in files.items():
        how = corpus.text_task_of(file)
        if how:
            accuracy |= dict(_accuracies(how, side, file, golds))
    return SetStatistics(task, weak, kind, len({row["id"] for row in first.rows}), len(first.rows), accuracy)


def _accuracies(task: Task, side: str, file: File, golds: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """The accuracy of each side of a file, as far as golds are known."""
    known = [(row, gold) for row in file.rows if (gold := golds.get(asked(row)))]
    if not known:
        return
    if file.kind == "pairs":
        for place, name in enumerate(("chosen", "rejected")):
            yield name, _share(task, [(pair_of(row)[place], gold) for row, gold in known])
    else:
        yield side, _share(task, [(row["output"], gold) for row, gold in known])


def _share(task: Task, answered: list[tuple[str, str]]) -> float:
    return sum(task.normalise(task.extract(text)) == gold for text, gold in answered) / len(answered)
