"""Checks of splits: questions that overlap or repeat, and wrong golds."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from w2s_factory.records import text_digest
from w2s_factory.release.audit.corpus import split_name
from w2s_factory.release.audit.finding import Occurrence, check
from w2s_factory.release.audit.known_golds import (
    after_key,
    asked,
    known_golds,
    normal,
    question_digest,
    question_of,
    rows_with_golds,
    written_gold,
)
from w2s_factory.release.audit.tally import EXAMPLES, few, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.release.audit.corpus import Corpus, File, Row
    from w2s_factory.tasks import Task

_HELD_OUT = ("test", "dev", "val")

_NUMBER = re.compile(r"-?[\d,]*\.?\d+")

_MOSTLY = 0.95
"""The share of numbers among the golds of a split above which other golds are odd."""


class AuditedSplit(NamedTuple):
    """The files of one split (its raw and its test form), with the digest of each row's question."""

    name: str
    files: list[File]
    questions: list[list[bytes]]

    @property
    def where(self) -> str:
        """The names of its files."""
        return ", ".join(file.name for file in self.files)

    @property
    def distinct(self) -> set[bytes]:
        """Its different questions."""
        return {question for rows in self.questions for question in rows}

    def texts(self) -> Iterator[tuple[bytes, str]]:
        """Yield the digest and the text of each question, in normal form."""
        for file, questions in zip(self.files, self.questions, strict=True):
            yield from zip(questions, (normal(question_of(row)) for row in file.rows), strict=True)

    def is_that_of(self, file: File, questions: set[bytes]) -> bool:
        """Return whether a file is another form of this split: same name, mostly the same questions."""
        if split_name(file) != self.name:
            return False
        own = self.distinct
        return len(questions & own) * 2 > min(len(questions), len(own))


def audited_splits(corpus: Corpus) -> list[AuditedSplit]:
    """Return the splits of a folder, each with all its files."""
    splits: list[AuditedSplit] = []
    for file in corpus.of("split"):
        questions = [question_digest(row) for row in file.rows]
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
    for file in corpus.of("sft", "pairs") if forbidden else ():
        questions = {text_digest(asked(row)): row["id"] for row in file.rows if "id" in row}
        total, wrong, shown = tally(
            str(name) if question in forbidden else None for question, name in questions.items()
        )
        if wrong:
            text = f"{wrong} of {total} questions are also in {names}"
            yield Occurrence(file.name, wrong, total, text, shown)


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
        shown = _smallest(question for digest, question in first.texts() if digest in common)
        yield Occurrence(f"{first.where}; {second.where}", len(common), total, text, few(shown))


def _smallest(texts: Iterable[str]) -> list[str]:
    """Return the first few of the distinct texts in the order of the alphabet."""
    found: list[str] = []
    for text in texts:
        if text not in found:
            found = sorted([*found, text])[:EXAMPLES]
    return found


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
            shown = few(question for _, question in _first_texts(split, repeated))
            yield Occurrence(split.where, extra, len(rows), text, shown)


def _first_texts(split: AuditedSplit, questions: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    """Yield the digest and text of each of some questions, in the order in which they first occur."""
    left = set(questions)
    for digest, text in split.texts():
        if digest in left:
            left.discard(digest)
            yield digest, text


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
        task = corpus.task_of(file)
        placed = zip(file.places, (written_gold(task, row) for row in file.rows), strict=True)
        total, odd, shown = tally(
            None if _NUMBER.fullmatch(gold) else f"row {place}: {gold}" for place, gold in placed
        )
        if odd and odd < (1 - _MOSTLY) * total:
            text = f"{odd} of {total:,} golds are not numbers"
            yield Occurrence(split.where, odd, total, text, shown)


@check(
    "contradicted-golds",
    title="Questions with two golds",
    consequence="Right answers count as wrong: label noise in training and test.",
    instead="Golds of raw and test form come from one conversion; results name the gold they were scored by.",
)
def contradicted_golds(corpus: Corpus) -> Iterator[Occurrence]:
    """Find questions with two golds: in the answer and the solution, in two rows, or in two files."""
    for split in audited_splits(corpus):
        golds: dict[bytes, str | None] = {}
        wrong: dict[bytes, set[str]] = {}
        for file, questions in zip(split.files, split.questions, strict=True):
            task = corpus.task_of(file)
            for row, question in zip(file.rows, questions, strict=True):
                first = golds.setdefault(question, None)
                for gold in _golds_of(task, row):
                    if first is None:
                        first = golds[question] = gold
                    elif gold != first:
                        wrong.setdefault(question, {first}).add(gold)
        if wrong:
            text = f"{len(wrong)} of {len(golds):,} questions have two golds"
            named = _first_texts(split, wrong)
            shown = few(f"{' | '.join(sorted(wrong[digest]))}: {question}" for digest, question in named)
            yield Occurrence(split.where, len(wrong), len(golds), text, shown)


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
        answers = (
            (row["id"], task.normalise(after_key(task, row["output"])), gold)
            for row, gold in rows_with_golds(file, golds)
        )
        known, wrong, shown = tally(
            None if answer == gold else f"id {name}: {answer} for {gold}" for name, answer, gold in answers
        )
        if wrong:
            text = f"{wrong} of {known:,} solutions end in another answer than the gold"
            yield Occurrence(file.name, wrong, known, text, shown)
