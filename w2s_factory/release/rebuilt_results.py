"""Published results rebuilt from full weak and golds, with token counts by tiktoken's cl100k vocabulary."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.records import RESULT, SFT, TEST, read, write
from w2s_factory.scoring.results import score_responses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiktoken import Encoding

    from w2s_factory.records import Result
    from w2s_factory.tasks import Task

_VOCABULARY = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
"""The file of the vocabulary in tiktoken's cache: the SHA-1 of its address."""

_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
"""The hash of the whole vocabulary."""


def rebuild_results(out: Path, full_weak: Path, golds: Path, published: Path | None, *, task: Task) -> None:
    """Write results from full weak and golds, with counts of tokens and words.

    Args:
        out: The file to write.
        full_weak: The responses.
        golds: The questions they answer, in the test form; an id is the place of a row in it.
        published: The published results, for the token counts; None to count with cl100k.
        task: The task that extracts and compares final answers.
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
                "pred": answer.pred,
                "gold": answer.gold,
                "result": answer.result,
                **({"num_tokens": count, "num_words": len(row["output"].split())} if answer.pred else {}),
            }
            for row, answer, count in zip(responses, scored, counts, strict=True)
        ),
    )


def _published_counts(published: Path) -> Iterator[int | None]:
    rows: Iterator[Result] = read(published, RESULT)
    return (row.get("num_tokens") for row in rows)


def _tokens(response: str) -> int:
    return len(_cl100k().encode(response, disallowed_special=()))


def has_cl100k() -> bool:
    """Return whether tiktoken is installed and has the whole vocabulary in its cache."""
    try:
        import tiktoken  # noqa: F401, PLC0415  optional
    except ImportError:
        return False
    vocabulary = _tiktoken_cache() / _VOCABULARY
    return vocabulary.is_file() and hashlib.sha256(vocabulary.read_bytes()).hexdigest() == _SHA256


@cache
def _cl100k() -> Encoding:
    """Return the encoding. Call it only after `has_cl100k`: otherwise tiktoken would download it."""
    import tiktoken  # noqa: PLC0415  optional

    return tiktoken.get_encoding("cl100k_base")


def _tiktoken_cache() -> Path:
    """Return the folder in which tiktoken looks for vocabularies."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable])
    return Path(tempfile.gettempdir(), "data-gym-cache")
