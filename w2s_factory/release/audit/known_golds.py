"""Questions in a normal form (case, punctuation), and the gold that the splits of a folder give each."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from w2s_factory.records import text_digest
from w2s_factory.release.audit.corpus import prompt_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.release.audit.corpus import Corpus, File, Row
    from w2s_factory.tasks import Task

_MARKS = re.compile("[.,;:!?\"'`\u2018\u2019\u201c\u201d\u2026]")


def normal(question: str) -> str:
    """Return a question without what copying changes: case, spacing, punctuation and kinds of quotes."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(_MARKS.sub("", text).split())


def question_of(row: Row) -> str:
    """Return the question of a raw or test row, as written."""
    return str(row["question"] if "question" in row else row["problem"])


def question_digest(row: Row) -> bytes:
    """Return the digest of the question of a raw or test row, in normal form."""
    return text_digest(normal(question_of(row)))


def asked(row: Row) -> str:
    """Return the question in a row's prompt, in normal form (for prompts as of GSM8K and MATH)."""
    return normal(prompt_of(row).removeprefix("Question: ").removesuffix("\nAnswer:"))


def known_golds(corpus: Corpus) -> dict[bytes, str]:
    """Return the normalised gold of each question in the splits, by the digest of its normal form."""
    golds: dict[bytes, str] = {}
    for file in corpus.of("split"):
        task = corpus.task_of(file)
        if task:
            for row in file.rows:
                golds[question_digest(row)] = task.normalise(written_gold(task, row))
    return golds


def rows_with_golds(file: File, golds: Mapping[bytes, str]) -> Iterator[tuple[Row, str]]:
    """Yield the rows of a file whose question has a known gold, each with that gold."""
    if golds:
        yield from ((row, gold) for row in file.rows if (gold := golds.get(text_digest(asked(row)))))


def written_gold(task: Task | None, row: Row) -> str:
    """Return the gold of a raw or test row as written; raw GSM8K rows have it in the solution alone."""
    answer = "" if row["answer"] is None else str(row["answer"])
    return after_key(task, answer) if task and "solution" not in row else answer


def after_key(task: Task, solution: str) -> str:
    """Return what follows the last answer key of a solution; empty for a task without a key."""
    key = task.answer_key
    return solution.rpartition(key)[2].strip() if key and key in solution else ""


def final_answer(task: Task, response: str) -> str:
    """Return the normalised final answer of a response, empty if there is none."""
    return task.normalise(task.extract(response))
