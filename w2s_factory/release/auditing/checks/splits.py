"""Questions and golds that are duplicates, in two splits, or wrong."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from w2s_factory.release.auditing.corpus import prompt_of, split_name
from w2s_factory.release.auditing.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.auditing.corpus import Corpus, File
    from w2s_factory.release.auditing.forms import Row

_MARKS = re.compile("[.,;:!?\"'`\u2018\u2019\u201c\u201d\u2026]")
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


def splits(corpus: Corpus) -> list[Split]:
    """The splits, each with all its files: raw and test form of one split have its name and its questions."""
    found: list[Split] = []
    for file in corpus.of("split"):
        questions = [normal(question_of(row)) for row in file.rows]
        same = next((split for split in found if split.is_that_of(file, set(questions))), None)
        if same:
            same.files.append(file)
            same.questions.append(questions)
        else:
            found.append(Split(split_name(file), [file], [questions]))
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


def _shared(one: Split, other: Split) -> Iterator[Found]:
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
