"""Golds: those that can't be right, and those that contradict each other."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from w2s_factory.release.auditing.checks.splits import asked, normal, question_of, splits
from w2s_factory.release.auditing.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.auditing.corpus import Corpus
    from w2s_factory.release.auditing.forms import Row
    from w2s_factory.tasks import Task

_NUMBER = re.compile(r"-?[\d,]*\.?\d+")
_MOSTLY = 0.95


def odd(corpus: Corpus) -> Iterator[Found]:
    """Golds that are no numbers where nearly all others are."""
    for split in splits(corpus):
        file = split.files[0]
        golds = [written(corpus.task_of(file), row) for row in file.rows]
        placed = zip(file.places, golds, strict=True)
        strange = [f"row {n}: {gold}" for n, gold in placed if not _NUMBER.fullmatch(gold)]
        if strange and len(strange) < (1 - _MOSTLY) * len(golds):
            text = f"{len(strange)} of {len(golds):,} golds are no numbers"
            yield Found(split.where, len(strange), len(golds), text, few(strange))


def contradicted(corpus: Corpus) -> Iterator[Found]:
    """Questions with two golds: in the answer and the solution, in two rows, or in two files."""
    for split in splits(corpus):
        golds: dict[str, set[str]] = defaultdict(set)
        for file, questions in zip(split.files, split.questions, strict=True):
            task = corpus.task_of(file)
            for row, question in zip(file.rows, questions, strict=True):
                golds[question].update(_golds(task, row))
        wrong = [f"{' | '.join(sorted(found))}: {text}" for text, found in golds.items() if len(found) > 1]
        if wrong:
            text = f"{len(wrong)} of {len(golds):,} questions have two golds"
            yield Found(split.where, len(wrong), len(golds), text, few(wrong))


def other_in_results(corpus: Corpus) -> Iterator[Found]:
    """Results scored against another gold than the split has."""
    golds = known_golds(corpus)
    for file in corpus.of("results"):
        known = [(row, gold) for row in file.rows if "gold" in row and (gold := golds.get(asked(row)))]
        wrong = [f"id {row['id']}: {row['gold']} for {gold}" for row, gold in known if row["gold"] != gold]
        if wrong:
            text = f"{len(wrong)} of {len(known):,} golds are not those of the split"
            yield Found(file.name, len(wrong), len(known), text, few(wrong))


def other_in_solutions(corpus: Corpus) -> Iterator[Found]:
    """Gold training rows whose solution ends in another answer than the gold."""
    golds = known_golds(corpus)
    for file in corpus.of("sft"):
        task = corpus.task_of(file)
        if task is None or not task.answer_key or file.parts or "train_" not in file.path.stem:
            continue
        known = [(row, gold) for row in file.rows if (gold := golds.get(asked(row)))]
        answers = [(row["id"], task.normalise(after_key(task, row["output"])), gold) for row, gold in known]
        wrong = [f"id {name}: {answer} for {gold}" for name, answer, gold in answers if answer != gold]
        if wrong:
            text = f"{len(wrong)} of {len(known):,} solutions end in another answer than the gold"
            yield Found(file.name, len(wrong), len(known), text, few(wrong))


def known_golds(corpus: Corpus) -> dict[str, str]:
    """The normalised gold of each question the splits hold, by the question in normal form."""
    golds: dict[str, str] = {}
    for file in corpus.of("split"):
        task = corpus.task_of(file)
        if task:
            golds |= {normal(question_of(row)): task.normalise(written(task, row)) for row in file.rows}
    return {question: gold for question, gold in golds.items() if gold}


def written(task: Task | None, row: Row) -> str:
    """The gold of a raw or test row as written there: GSM8K's raw rows have it in the solution alone."""
    answer = "" if row["answer"] is None else str(row["answer"])
    return after_key(task, answer) if task and "solution" not in row else answer


def after_key(task: Task, solution: str) -> str:
    """Return what follows the last answer key of a solution; empty for a task without a key."""
    key = task.answer_key
    return solution.rpartition(key)[2].strip() if key and key in solution else ""


def _golds(task: Task | None, row: Row) -> set[str]:
    """The normalised golds a row names: its answer, and what follows the key in its solution."""
    if task is None:
        return {written(task, row)}
    named = {written(task, row), after_key(task, str(row.get("solution") or ""))}
    return {task.normalise(gold.replace(",", "")) for gold in named if gold}
