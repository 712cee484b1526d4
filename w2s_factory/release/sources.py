"""Raw rows and results recovered from other published files, and token counts by cl100k."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.records import RESULT, SFT, TEST, Form, read, write
from w2s_factory.release.train_halves import GSM8K_ROWS, halves
from w2s_factory.scoring.results import score_responses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tiktoken import Encoding

    from w2s_factory.records import Result, Test
    from w2s_factory.tasks import Task

_NAME = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
"""Of the vocabulary in tiktoken's cache: the SHA-1 of its address."""

_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"


def has_cl100k() -> bool:
    """Whether tiktoken is installed and has the vocabulary, whole, in its cache."""
    try:
        import tiktoken  # noqa: F401, PLC0415  optional
    except ImportError:
        return False
    vocabulary = _cache() / _NAME
    return vocabulary.is_file() and hashlib.sha256(vocabulary.read_bytes()).hexdigest() == _SHA256


@cache
def cl100k() -> Encoding:
    """The encoding, to be asked for only where `has_cl100k`: else tiktoken would download it."""
    import tiktoken  # noqa: PLC0415  optional

    return tiktoken.get_encoding("cl100k_base")


def _cache() -> Path:
    """Where tiktoken looks first."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable])
    return Path(tempfile.gettempdir(), "data-gym-cache")


ROWS: Form[dict[str, Any]] = Form("rows", {})


def gsm8k_test(out: Path, test: Path, *, task: Task) -> None:
    """The raw GSM8K test set, which is in the test form: made of its questions and solutions."""
    raw = ({"question": row["question"], "answer": row["solution"]} for row in read(test, TEST))
    write(out, (gsm8k_test_row(task, row) for row in raw))


def gsm8k_test_row(task: Task, raw: Mapping[str, Any]) -> Test:
    """A row of GSM8K's test set as published: unlike in the training halves, without commas in the answer."""
    row = task.test_row(raw, task.splits["test"].tag)
    return {**row, "answer": row["answer"].replace(",", "")}


def gsm8k_ids(out: Path, published: Path, *, half: int) -> None:
    """A raw GSM8K half with the ids of the release's split; the text, and augmented rows, as they are."""
    ids = iter([f"gsm8k_{number}" for number in halves(GSM8K_ROWS)[half]])
    rows = read(published, ROWS)
    originals = (
        row if str(row.get("id")).startswith("aug_") else {**row, "id": next(ids, None)} for row in rows
    )
    write(out, originals)


def math_raw(out: Path, test: Path) -> None:
    """Raw MATH rows back from the test form."""
    rows = read(test, TEST)
    write(out, ({"problem": row["question"], **_solved(row), **row["tag"]} for row in rows))


def _solved(row: Any) -> dict[str, str]:
    return {"solution": row["solution"], "answer": row["answer"]}


def results(out: Path, full_weak: Path, golds: Path, published: Path | None, *, task: Task) -> None:
    """Results from full weak and golds, with the published counts of tokens and words.

    Args:
        out: Where they go.
        full_weak: The responses.
        golds: The questions they answer; an id is a row's place here.
        published: The published results, for the token counts; None to count with cl100k.
        task: Finds and compares final answers.
    """
    responses = list(read(full_weak, SFT))
    answers = [row["answer"] for row in read(golds, TEST)]
    scored = score_responses(
        task,
        [row["output"] for row in responses],
        [answers[int(row["id"])] for row in responses],
        workers=1,
    )
    counts = _published_counts(published) if published else map(_tokens, (row["output"] for row in responses))
    write(
        out,
        (
            {
                "id": row["id"],
                "prompt": row["content"],
                "response": row["output"],
                "pred": one.pred,
                "gold": one.gold,
                "result": one.result,
                **({"num_tokens": count, "num_words": len(row["output"].split())} if one.pred else {}),
            }
            for row, one, count in zip(responses, scored, counts, strict=True)
        ),
    )


def _published_counts(published: Path) -> Iterator[int | None]:
    rows: Iterator[Result] = read(published, RESULT)
    return (row.get("num_tokens") for row in rows)


def _tokens(response: str) -> int:
    return len(cl100k().encode(response, disallowed_special=()))


def pair_prompts(out: Path, published: Path, questions: Path, *, task: Task) -> None:
    """A pair file with the prompts of a split's questions; which questions and responses as they are."""
    prompts = [task.prompt(row["question"]) for row in read(questions, TEST)]
    write(out, ({**row, "instruction": prompts[row["id"]], "input": ""} for row in read(published, ROWS)))


def pair_prompts_of(out: Path, published: Path, full_weak: Path) -> None:
    """As `pair_prompts`, with the prompts of full weak."""
    prompts = {row["id"]: row["content"] for row in read(full_weak, SFT)}
    rows = read(published, ROWS)
    write(out, ({**row, "instruction": prompts.get(row["id"], ""), "input": ""} for row in rows))


def olympic_full_weak(out: Path, output: Path) -> None:
    """OlympicArena's full weak from the weak model's output: prompt and response of each row."""
    rows = read(output, ROWS)
    write(out, ({"id": r["id"], "content": r["vllm_prompt"], "output": r["response"]} for r in rows))


def without_response(out: Path, output: Path) -> None:
    """OlympicArena's input from its output."""
    rows = read(output, ROWS)
    write(out, ({key: value for key, value in row.items() if key != "response"} for row in rows))
