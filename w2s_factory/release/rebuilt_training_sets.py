"""Published training sets rebuilt from other published files: index, full weak, Stage I sets, pairs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from w2s_factory.building.dataset_files import dataset_name
from w2s_factory.llamafactory.dataset_info import RELEASE_DATA, pair_entry, sft_entry
from w2s_factory.records import SFT, TEST, Outputs, read, write
from w2s_factory.release.benchmark_splits import ROWS
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.llamafactory.dataset_info import DatasetEntry
    from w2s_factory.records import Sft
    from w2s_factory.tasks import Task

WEAK_MODELS = ("llama2_7b", "gemma_2b", "mistral_7b")
"""The weak models of GSM8K and MATH."""

OLYMPIC_WEAK = "llama3-8b-instruct"
"""The weak model of OlympicArena."""


def published_index() -> dict[str, DatasetEntry]:
    """Return the entries of the release's `dataset_info.json`, in its order and with its defects."""
    return dict(_entries())


def rebuild_index(out: Path) -> None:
    """Write the release's `dataset_info.json`."""
    with Outputs() as outputs:
        outputs.index(out, published_index())


def _entries() -> Iterator[tuple[str, DatasetEntry]]:
    for task, iterations, pair_folder in (("gsm8k", 2, "gsm8k"), ("math", 1, "gsm8k")):
        for half in (1, 2):
            yield _sft(task, f"{task}_train_{half}")
        for weak in WEAK_MODELS:
            yield from _entries_of_weak(task, f"train_{task}_{weak}", iterations)
            # The entries of MATH's pair files name GSM8K's folder.
            yield _pairs(pair_folder, f"train_{task}_{weak}_iter{iterations}_hybrid_paired")
    # OlympicArena's names have underscores, except those of pairs, which keep hyphens.
    for name, entry in [
        *_entries_of_weak("olympicarena", f"train_olympic_{OLYMPIC_WEAK}", 2),
        _pairs("olympicarena", f"train_olympic_{OLYMPIC_WEAK}_iter2_hybrid_paired"),
    ]:
        yield get_task("olympic_arena").dataset_name(name), entry


def _entries_of_weak(folder: str, stem: str, iterations: int) -> Iterator[tuple[str, DatasetEntry]]:
    """Yield the entries of full weak and Stage I; the sets before padding (`_wo_aug`) have none."""
    yield _sft(folder, f"{stem}_full_weak")
    for iteration in range(1, iterations + 1):
        for side in ("weak", "icl", "hybrid"):
            yield _sft(folder, f"{stem}_iter{iteration}_{side}")


def _sft(folder: str, stem: str) -> tuple[str, DatasetEntry]:
    return dataset_name(stem), sft_entry(f"{RELEASE_DATA}/{folder}/{stem}.json")


def _pairs(folder: str, stem: str) -> tuple[str, DatasetEntry]:
    return dataset_name(stem), pair_entry(f"{RELEASE_DATA}/{folder}/{stem}.json")


def rebuild_olympic_full_weak(out: Path, output: Path) -> None:
    """Write OlympicArena's full weak from the weak model's output: prompt and response of each row."""
    rows = read(output, ROWS)
    write(
        out,
        ({"id": row["id"], "content": row["vllm_prompt"], "output": row["response"]} for row in rows),
    )


def rebuild_hybrid(out: Path, weak: Path, icl: Path, unpadded: Path | None = None) -> None:
    """Write a hybrid set: the weak and the icl row of each question in turn.

    Args:
        out: The file to write.
        weak: The weak set.
        icl: The icl set.
        unpadded: For padded sets, one side before padding. As many rows at the head are interleaved; the
            rest of the weak set follows, then the rest of the icl set.
    """
    sides = list(read(weak, SFT)), list(read(icl, SFT))
    head = _count(unpadded) if unpadded else max(map(len, sides))
    turns = chain.from_iterable(zip(*(side[:head] for side in sides), strict=True))
    write(out, chain(turns, *(side[head:] for side in sides)))


def rebuild_side(out: Path, hybrid: Path, unpadded: Path | None = None, *, icl: bool) -> None:
    """Write the weak or the icl set from the hybrid one: the reverse of `rebuild_hybrid`."""
    rows = list(read(hybrid, SFT))
    head = _count(unpadded) if unpadded else len(rows) // 2
    tails = rows[2 * head :]
    middle = len(tails) // 2
    write(out, rows[icl : 2 * head : 2] + (tails[middle:] if icl else tails[:middle]))


def rebuild_weak_side(out: Path, published: Path, full_weak: Path) -> None:
    """Write the weak set from full weak; which questions were kept is taken from the published set."""
    responses = {row["id"]: row for row in read(full_weak, SFT)}
    write(out, (responses.get(row["id"], _unknown(row)) for row in read(published, SFT)))


def rebuild_unpadded_side(out: Path, weak: Path, icl: Path, *, icl_side: bool) -> None:
    """Write a side before padding: the rows of the padded sets whose two final answers are the same."""
    sides = list(read(weak, SFT)), list(read(icl, SFT))
    answers = [{row["id"]: row.get("pred") for row in rows} for rows in sides]
    kept = (row for row in sides[icl_side] if answers[0].get(row["id"]) == answers[1].get(row["id"]))
    write(out, ({"id": row["id"], "content": row["content"], "output": row["output"]} for row in kept))


def _count(path: Path) -> int:
    return sum(1 for _ in read(path, SFT))


def _unknown(row: Sft) -> Sft:
    return {**row, "content": "", "output": ""}


def rebuild_pairs_from_split(out: Path, published: Path, questions: Path, *, task: Task) -> None:
    """Write a pair file with the prompts of a split's questions; ids and responses are as published."""
    prompts = [task.prompt(row["question"]) for row in read(questions, TEST)]
    write(out, ({**row, "instruction": prompts[row["id"]], "input": ""} for row in read(published, ROWS)))


def rebuild_pairs_from_full_weak(out: Path, published: Path, full_weak: Path) -> None:
    """Write a pair file with the prompts of full weak; ids and responses are as published."""
    prompts = {row["id"]: row["content"] for row in read(full_weak, SFT)}
    rows = read(published, ROWS)
    write(out, ({**row, "instruction": prompts.get(row["id"], ""), "input": ""} for row in rows))
