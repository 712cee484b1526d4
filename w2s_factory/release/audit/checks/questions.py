"""Checks of questions and golds: duplicates, overlaps between splits, wrong golds."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from w2s_factory.release.audit.corpus import prompt_of, split_name
from w2s_factory.release.audit.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus, File, Row
    from w2s_factory.tasks import Task

_MARKS = re.compile("[.,;:!?\"'`\u2018\u2019\u201c\u201d\u2026]")
_HELD_OUT = ("test", "dev", "val")


class AuditedSplit(NamedTuple):
    """The files of one split (its raw and its test form), with each row's question in normal form."""

    name: str
    files: list[File]
    questions: list[list[str]]

    @property
    def where(self) -> str:
        """Its files."""
        return ", ".join(file.name for file in self.files)

    @property
    def distinct(self) -> set[str]:
        """Its questions."""
        return {question for rows in self.questions for question in rows}

    def is_that_of(self, file: File, questions: set[str]) -> bool:
        """Whether a file is another form of this split: so called, and mostly the same questions."""
        common = len(questions & self.distinct)
        return split_name(file) == self.name and common * 2 > min(len(questions), len(self.distinct))


def normal(question: str) -> str:
    """A question without what copying changes: case, spacing, punctuation marks, kinds of quotes."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(_MARKS.sub("", text).split())


def question_of(row: Row) -> str:
    """The question of a raw or test row."""
    return str(row["question"] if "question" in row else row["problem"])


def splits(corpus: Corpus) -> list[AuditedSplit]:
    """The splits, each with all its files: raw and test form of one split have its name and its questions."""
    found: list[AuditedSplit] = []
    for file in corpus.of("split"):
        questions = [normal(question_of(row)) for row in file.rows]
        same = next((split for split in found if split.is_that_of(file, set(questions))), None)
        if same:
            same.files.append(file)
            same.questions.append(questions)
        else:
            found.append(AuditedSplit(split_name(file), [file], [questions]))
    return found


def contaminated(corpus: Corpus) -> Iterator[Found]:
    """Questions of a test or validation split that stand in another split."""
    for one, other in combinations(splits(corpus), 2):
        if one.name in _HELD_OUT or other.name in _HELD_OUT:
            yield from _shared(one, other)


def overlapping(corpus: Corpus) -> Iterator[Found]:
    """Questions that stand in both halves of the training data."""
    for one, other in combinations(splits(corpus), 2):
        if one.name not in _HELD_OUT and other.name not in _HELD_OUT:
            yield from _shared(one, other)


def trained_on(corpus: Corpus) -> Iterator[Found]:
    """Datasets to train on that ask questions of a test or validation split."""
    held_out = [split for split in splits(corpus) if split.name in _HELD_OUT]
    forbidden = {question for split in held_out for question in split.distinct}
    for file in corpus.of("sft", "pairs"):
        questions = {asked(row): row["id"] for row in file.rows if "id" in row}
        found = [questions[question] for question in questions if question in forbidden]
        if found:
            text = (
                f"{len(found)} of {len(questions)} questions stand in {', '.join(s.name for s in held_out)}"
            )
            yield Found(file.name, len(found), len(questions), text, few(found))


def asked(row: Row) -> str:
    """The question a row's prompt asks, in normal form (prompts as of GSM8K and MATH)."""
    return normal(prompt_of(row).removeprefix("Question: ").removesuffix("\nAnswer:"))


def _shared(one: AuditedSplit, other: AuditedSplit) -> Iterator[Found]:
    common = one.distinct & other.distinct
    if common:
        text = f"{len(common)} questions stand in both {one.name} and {other.name}"
        total = min(len(one.distinct), len(other.distinct))
        yield Found(f"{one.where}; {other.where}", len(common), total, text, few(sorted(common)))


def repeated(corpus: Corpus) -> Iterator[Found]:
    """Questions that stand more than once in a split."""
    for split in splits(corpus):
        rows = max(split.questions, key=lambda rows: len(rows) - len(set(rows)))
        counts = Counter(rows)
        if len(counts) < len(rows):
            extra = len(rows) - len(counts)
            text = f"{len(counts):,} distinct questions in {len(rows):,} rows: {extra} are repetitions"
            twice = (question for question, count in counts.items() if count > 1)
            yield Found(split.where, extra, len(rows), text, few(twice))


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
