"""Questions and golds: what stands twice, in two splits, or with a wrong answer."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s_factory.errors import UserError
from w2s_factory.release.audit.corpus import prompt_of, split_name
from w2s_factory.release.audit.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus, File

_NUMBER = re.compile(r"-?[\d,]*\.?\d+")
_MOSTLY = 0.95
_HELD_OUT = ("test", "dev", "val")


class Split(NamedTuple):
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


def normal(question: str) -> str:
    """A question without what copying changes: case, spacing, punctuation marks, kinds of quotes."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(re.sub(r"[.,;:!?\"'`‘’“”…]", "", text).split())


def question_of(row: dict[str, Any]) -> str:
    """The question of a raw or test row."""
    return str(row["question"] if "question" in row else row["problem"])


def splits(corpus: Corpus) -> list[Split]:
    """The splits, each with all its files: two forms of one split are of one task and name."""
    grouped: dict[tuple[str, str], list[File]] = defaultdict(list)
    for file in corpus.of("split"):
        task = corpus.task_of(file)
        grouped[task.name if task else "", split_name(file)].append(file)
    return [
        Split(name, files, [[normal(question_of(row)) for row in file.rows] for file in files])
        for (_, name), files in grouped.items()
    ]


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
    asked = {question: split.name for split in held_out for question in split.distinct}
    for file in corpus.of("sft", "pairs"):
        questions = {normal(bare(prompt_of(row))): row["id"] for row in file.rows if "id" in row}
        found = [questions[question] for question in questions if question in asked]
        if found:
            text = (
                f"{len(found)} of {len(questions)} questions stand in {', '.join(s.name for s in held_out)}"
            )
            yield Found(file.name, len(found), len(questions), text, few(found))


def bare(prompt: str) -> str:
    """The question of a zero-shot prompt in the form of GSM8K and MATH."""
    return prompt.removeprefix("Question: ").removesuffix("\nAnswer:")


def _shared(one: Split, other: Split) -> Iterator[Found]:
    common = one.distinct & other.distinct
    if common:
        text = f"{len(common)} questions stand in both {one.name} and {other.name}"
        total = min(len(one.distinct), len(other.distinct))
        yield Found(f"{one.where}; {other.where}", len(common), total, text, few(sorted(common)))


def repeated(corpus: Corpus) -> Iterator[Found]:
    """Questions that stand more than once in a split."""
    for split in splits(corpus):
        rows = split.questions[0]
        counts = Counter(rows)
        if len(counts) < len(rows):
            extra = len(rows) - len(counts)
            text = f"{len(counts):,} distinct questions in {len(rows):,} rows: {extra} are repetitions"
            twice = (question for question, count in counts.items() if count > 1)
            yield Found(split.where, extra, len(rows), text, few(twice))


def odd_golds(corpus: Corpus) -> Iterator[Found]:
    """Golds that are no numbers where nearly all others are."""
    for split in splits(corpus):
        file = next((file for file in split.files if "solution" in file.rows[0]), split.files[0])
        golds = [_gold(corpus, file, row) for row in file.rows]
        odd = [f"row {n}: {gold}" for n, gold in enumerate(golds) if not _NUMBER.fullmatch(gold)]
        if odd and len(odd) < (1 - _MOSTLY) * len(golds):
            text = f"{len(odd)} of {len(golds):,} golds are no numbers"
            yield Found(split.where, len(odd), len(golds), text, few(odd))


def contradicted_golds(corpus: Corpus) -> Iterator[Found]:
    """Questions with two golds: in the answer and the solution, in two rows, or in two files."""
    for split in splits(corpus):
        golds: dict[str, set[str]] = defaultdict(set)
        for file, questions in zip(split.files, split.questions, strict=True):
            for row, question in zip(file.rows, questions, strict=True):
                golds[question].update(_golds(corpus, file, row))
        wrong = [
            f"{question} -> {' | '.join(sorted(found))}"
            for question, found in golds.items()
            if len(found) > 1
        ]
        if wrong:
            text = f"{len(wrong)} of {len(golds):,} questions have two golds"
            yield Found(split.where, len(wrong), len(golds), text, few(wrong))


def _gold(corpus: Corpus, file: File, row: dict[str, Any]) -> str:
    """The gold as written in a row: a test row's answer, else what the task finds in a raw one."""
    task = corpus.task_of(file)
    if "solution" in row or task is None:
        return str(row["answer"])
    try:
        return task.test_row(row, "")["answer"]
    except (UserError, KeyError):
        return ""


def _golds(corpus: Corpus, file: File, row: dict[str, Any]) -> set[str]:
    """The normalised golds a row names: its answer, and where its solution has the task's key, what follows it."""
    task = corpus.task_of(file)
    if task is None:
        return {str(row["answer"])}
    found = {task.normalise(_gold(corpus, file, row).replace(",", ""))}
    solution = row.get("solution")
    if isinstance(solution, str) and task.answer_key in solution:
        found.add(task.normalise(task.extract(solution).replace(",", "")))
    return found
