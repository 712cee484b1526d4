"""Published sets rebuilt: the entries of `dataset_info.json`, and Stage I sets from each other."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from w2s_factory.building.dataset_files import dataset_name
from w2s_factory.llamafactory.dataset_info import RELEASE_DATA, pair_entry, sft_entry
from w2s_factory.records import SFT, Outputs, read, write
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.llamafactory.dataset_info import DatasetEntry
    from w2s_factory.records import Sft

WEAK_MODELS = ("llama2_7b", "gemma_2b", "mistral_7b")
OLYMPIC = "llama3-8b-instruct"


def published_index() -> dict[str, DatasetEntry]:
    """The entries of the release's index, in its order."""
    return dict(_entries())


def index(out: Path) -> None:
    """Write the release's index."""
    with Outputs() as outputs:
        outputs.index(out, published_index())


def _entries() -> Iterator[tuple[str, DatasetEntry]]:
    for task, iterations, pair_folder in (("gsm8k", 2, "gsm8k"), ("math", 1, "gsm8k")):
        for half in (1, 2):
            yield _sft(task, f"{task}_train_{half}")
        for weak in WEAK_MODELS:
            yield from _of_weak(task, f"train_{task}_{weak}", iterations)
            # The entries of MATH's pair files name GSM8K's folder.
            yield _pairs(pair_folder, f"train_{task}_{weak}_iter{iterations}_hybrid_paired")
    # OlympicArena's task writes names with underscores, those of pairs alone with hyphens.
    for name, entry in [
        *_of_weak("olympicarena", f"train_olympic_{OLYMPIC}", 2),
        _pairs("olympicarena", f"train_olympic_{OLYMPIC}_iter2_hybrid_paired"),
    ]:
        yield get_task("olympic_arena").dataset_name(name), entry


def _of_weak(folder: str, stem: str, iterations: int) -> Iterator[tuple[str, DatasetEntry]]:
    """Full weak and Stage I of one weak model. The sets before padding (`_wo_aug`) have no entries."""
    yield _sft(folder, f"{stem}_full_weak")
    for iteration in range(1, iterations + 1):
        for side in ("weak", "icl", "hybrid"):
            yield _sft(folder, f"{stem}_iter{iteration}_{side}")


def _sft(folder: str, stem: str) -> tuple[str, DatasetEntry]:
    return dataset_name(stem), sft_entry(f"{RELEASE_DATA}/{folder}/{stem}.json")


def _pairs(folder: str, stem: str) -> tuple[str, DatasetEntry]:
    return dataset_name(stem), pair_entry(f"{RELEASE_DATA}/{folder}/{stem}.json")


def hybrid(out: Path, weak: Path, icl: Path, unpadded: Path | None = None) -> None:
    """The weak and the icl row of each question in turn.

    Args:
        out: Where the set goes.
        weak: The weak set.
        icl: The icl set.
        unpadded: Of a padded set, a side before padding: only the head, which is as long, is interleaved;
            the weak tail follows it, then the icl tail.
    """
    sides = list(read(weak, SFT)), list(read(icl, SFT))
    head = _count(unpadded) if unpadded else max(map(len, sides))
    turns = chain.from_iterable(zip(*(side[:head] for side in sides), strict=True))
    write(out, chain(turns, *(side[head:] for side in sides)))


def side(out: Path, hybrid: Path, unpadded: Path | None = None, *, icl: bool) -> None:
    """The weak or the icl set back from the hybrid one: the reverse of `hybrid`."""
    rows = list(read(hybrid, SFT))
    head = _count(unpadded) if unpadded else len(rows) // 2
    tails = rows[2 * head :]
    middle = len(tails) // 2
    write(out, rows[icl : 2 * head : 2] + (tails[middle:] if icl else tails[:middle]))


def at_ids(out: Path, published: Path, full_weak: Path) -> None:
    """The weak set from full weak, given which questions were kept."""
    responses = {row["id"]: row for row in read(full_weak, SFT)}
    write(out, (responses.get(row["id"], _unknown(row)) for row in read(published, SFT)))


def agreeing(out: Path, weak: Path, icl: Path, *, icl_side: bool) -> None:
    """A side before padding: the questions of a padded set on which both final answers are the same."""
    sides = list(read(weak, SFT)), list(read(icl, SFT))
    answers = [{row["id"]: row.get("pred") for row in rows} for rows in sides]
    kept = (row for row in sides[icl_side] if answers[0].get(row["id"]) == answers[1].get(row["id"]))
    write(out, ({"id": row["id"], "content": row["content"], "output": row["output"]} for row in kept))


def _count(path: Path) -> int:
    return sum(1 for _ in read(path, SFT))


def _unknown(row: Sft) -> Sft:
    return {**row, "content": "", "output": ""}
