"""The published `dataset_info.json`, entry by entry, with what is wrong in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.building.placing import dataset_name
from w2s_factory.llamafactory.dataset_info import pair_entry, sft_entry
from w2s_factory.llamafactory.layouts import RELEASE_DATA
from w2s_factory.records import Outputs
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.llamafactory.dataset_info import DatasetEntry

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
