"""Checks of splits: questions that overlap or repeat, and wrong golds."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from w2s_factory.release.audit.corpus import split_name
from w2s_factory.release.audit.finding import Occurrence, check, few
from w2s_factory.release.audit.known_golds import (
    after_key,
    asked,
    known_golds,
    normal,
    question_of,
    rows_with_golds,
    written_gold,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus, File, Row
    from w2s_factory.tasks import Task

_HELD_OUT = ("test", "dev", "val")

_NUMBER = re.compile(r"-?[\d,]*\.?\d+")

_MOSTLY = 0.95
"""The share of numbers among the golds of a split above which other golds are odd."""


class AuditedSplit(NamedTuple):
    """The files of one split (its raw and its test form), with each row's question in normal form."""

    name: str
    files: list[File]
    questions: list[list[str]]

    @property
    def where(self) -> str:
        """The names of its files."""
        return ", ".join(file.name for file in self.files)

    @property
    def distinct(self) -> set[str]:
        """Its different questions."""
        return {question for rows in self.questions for question in rows}

    def is_that_of(self, file: File, questions: set[str]) -> bool:
        """Return whether a file is another form of this split: same name, mostly the same questions."""
        common = len(questions & self.distinct)
        return split_name(file) == self.name and common * 2 > min(len(questions), len(self.distinct))


def audited_splits(corpus: Corpus) -> list[AuditedSplit]:
    """Return the splits of a folder, each with all its files."""
    splits: list[AuditedSplit] = []
    for file in corpus.of("split"):
        questions = [normal(question_of(row)) for row in file.rows]
        same = next((split for split in splits if split.is_that_of(file, set(questions))), None)
        if same:
            same.files.append(file)
            same.questions.append(questions)
        else:
            splits.append(AuditedSplit(split_name(file), [file], [questions]))
    return splits


@check(
    "contamination",
    title="Test questions in a training split",
    consequence="Test accuracy is measured on questions seen in training.",
    instead="Splits stay as they are published; this check names such questions.",
)
def contamination(corpus: Corpus) -> Iterator[Occurrence]:
    """Find questions of a test or validation split that are also in another split."""
    for first, second in combinations(audited_splits(corpus), 2):
        if first.name in _HELD_OUT or second.name in _HELD_OUT:
            yield from _common(first, second)


@check(
    "trained-on-test",
    title="Test questions in a training dataset",
    consequence="Test accuracy is measured on questions seen in training.",
    instead="Datasets are built from one split's responses only, joined by id.",
)
def trained_on_test(corpus: Corpus) -> Iterator[Occurrence]:
    """Find training datasets that ask questions of a test or validation split."""
    held_out = [split for split in audited_splits(corpus) if split.name in _HELD_OUT]
    names = ", ".join(split.name for split in held_out)
    forbidden = {question for split in held_out for question in split.distinct}
    for file in corpus.of("sft", "pairs"):
        questions = {asked(row): row["id"] for row in file.rows if "id" in row}
        wrong = [name for question, name in questions.items() if question in forbidden]
        if wrong:
            text = f"{len(wrong)} of {len(questions)} questions are also in {names}"
            yield Occurrence(file.name, len(wrong), len(questions), text, few(wrong))


@check(
    "split-overlap",
    title="Questions in both halves of the training data",
    consequence=(
        "The weak model was trained on the golds of questions it then labels: "
        "its labels are better there than on new questions."
    ),
    instead="The published halves are kept, so that results are comparable; this check names the questions.",
)
def split_overlap(corpus: Corpus) -> Iterator[Occurrence]:
    """Find questions that are in both halves of the training data."""
    for first, second in combinations(audited_splits(corpus), 2):
        if first.name not in _HELD_OUT and second.name not in _HELD_OUT:
            yield from _common(first, second)


def _common(first: AuditedSplit, second: AuditedSplit) -> Iterator[Occurrence]:
    common = first.distinct & second.distinct
    if common:
        text = f"{len(common)} questions are in both {first.name} and {second.name}"
        total = min(len(first.distinct), len(second.distinct))
        yield Occurrence(f"{first.where}; {second.where}", len(common), total, text, few(sorted(common)))


@check(
    "repeated-questions",
    title="Duplicate questions in a split",
    consequence="They count more than once in training and in every accuracy.",
    instead="Questions are distinguished by id, as published; none is dropped silently.",
)
def repeated_questions(corpus: Corpus) -> Iterator[Occurrence]:
    """Find questions that occur more than once in a split."""
    for split in audited_splits(corpus):
        rows = max(split.questions, key=lambda rows: len(rows) - len(set(rows)))
        counts = Counter(rows)
        if len(counts) < len(rows):
            extra = len(rows) - len(counts)
            text = f"{len(counts):,} distinct questions in {len(rows):,} rows: {extra} are repetitions"
            repeated = (question for question, count in counts.items() if count > 1)
            yield Occurrence(split.where, extra, len(rows), text, few(repeated))


@check(
    "odd-golds",
    title="Golds that are not numbers, among numbers",
    consequence="Compared as text, no response is right on them unless it happens to use the same spelling.",
    instead="They are scored as published: right only if the text is the same.",
)
def odd_golds(corpus: Corpus) -> Iterator[Occurrence]:
    """Find golds that are not numbers where nearly all others are."""
    for split in audited_splits(corpus):
        file = split.files[0]
        golds = [written_gold(corpus.task_of(file), row) for row in file.rows]
        placed = zip(file.places, golds, strict=True)
        odd = [f"row {place}: {gold}" for place, gold in placed if not _NUMBER.fullmatch(gold)]
        if odd and len(odd) < (1 - _MOSTLY) * len(golds):
            text = f"{len(odd)} of {len(golds):,} golds are not numbers"
            yield Occurrence(split.where, len(odd), len(golds), text, few(odd))


@check(
    "contradicted-golds",
    title="Questions with two golds",
    consequence="Right answers count as wrong: label noise in training and test.",
    instead="Golds of raw and test form come from one conversion; results name the gold they were scored by.",
)
def contradicted_golds(corpus: Corpus) -> Iterator[Occurrence]:
    """Find questions with two golds: in the answer and the solution, in two rows, or in two files."""
    for split in audited_splits(corpus):
        golds: dict[str, set[str]] = defaultdict(set)
        for file, questions in zip(split.files, split.questions, strict=True):
            task = corpus.task_of(file)
            for row, question in zip(file.rows, questions, strict=True):
                golds[question].update(_golds_of(task, row))
        wrong = [f"{' | '.join(sorted(found))}: {text}" for text, found in golds.items() if len(found) > 1]
        if wrong:
            text = f"{len(wrong)} of {len(golds):,} questions have two golds"
            yield Occurrence(split.where, len(wrong), len(golds), text, few(wrong))


def _golds_of(task: Task | None, row: Row) -> set[str]:
    """Return the normalised golds a row names: its answer, and what follows the key in its solution."""
    if task is None:
        return {written_gold(task, row)}
    named = {written_gold(task, row), after_key(task, str(row.get("solution") or ""))}
    return {task.normalise(gold.replace(",", "")) for gold in named if gold}


@check(
    "wrong-gold-solutions",
    title="Gold solutions whose final answer is not the gold",
    consequence="The weak model and the strong ceiling are trained on wrong answers.",
    instead="Gold rows are built from the raw solution itself.",
)
def wrong_gold_solutions(corpus: Corpus) -> Iterator[Occurrence]:
    """Find gold training rows whose solution ends in an answer other than the gold."""
    golds = known_golds(corpus)
    for file in corpus.of("sft"):
        task = corpus.task_of(file)
        if task is None or not task.answer_key or file.parts or "train_" not in file.path.stem:
            continue
        known = rows_with_golds(file, golds)
        answers = [(row["id"], task.normalise(after_key(task, row["output"])), gold) for row, gold in known]
        wrong = [f"id {name}: {answer} for {gold}" for name, answer, gold in answers if answer != gold]
        if wrong:
            text = f"{len(wrong)} of {len(known):,} solutions end in another answer than the gold"
            yield Occurrence(file.name, len(wrong), len(known), text, few(wrong))
