"""Recipes for rebuilding each published file from others, and the reasons why some can't be rebuilt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from w2s_factory.building import build_full_weak, build_gold, build_test
from w2s_factory.llamafactory.dataset_info import RELEASE_DATA
from w2s_factory.release.benchmark_splits import (
    rebuild_gsm8k_ids,
    rebuild_gsm8k_test,
    rebuild_math_raw,
    rebuild_olympic_input,
)
from w2s_factory.release.published_files import FILES
from w2s_factory.release.rebuilt_results import has_cl100k, rebuild_results
from w2s_factory.release.rebuilt_training_sets import (
    OLYMPIC_WEAK,
    rebuild_hybrid,
    rebuild_index,
    rebuild_olympic_full_weak,
    rebuild_pairs_from_full_weak,
    rebuild_pairs_from_split,
    rebuild_side,
    rebuild_unpadded_side,
    rebuild_weak_side,
)
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from w2s_factory.tasks import Task

SAMPLES = "the ten samples of M_plus that the pairs were drawn from are not published"
RESPONSES = "the responses of a model are published, but not its weights"
PROBLEMS = "how the problems were drawn and halved is not published"
AUGMENTED = "where the augmented rows come from and how they were halved is not published"
EVALUATION = "a benchmark's own evaluation output"


@dataclass(frozen=True)
class Way:
    """One way to rebuild a published file.

    Attributes:
        sources: The published files it needs, as paths below the root.
        make: The function that writes the file. It takes the path to write, the published file if
            `reads_published` is set, and the sources.
        kept: The fields that it copies from the published file instead of rebuilding them.
        reads_published: Whether it reads the published file, for the fields that are kept.
        certain: Whether it is known to give the published bytes, so that other bytes are a difference.
    """

    sources: tuple[str, ...]
    make: Callable[..., Any]
    kept: tuple[str, ...] = ()
    reads_published: bool = False
    certain: bool = True

    def run(self, root: Path, path: str, out: Path) -> None:
        """Rebuild the published file `path` at `out`."""
        published = [root / path] if self.reads_published else []
        self.make(out, *published, *(root / source for source in self.sources))


@dataclass(frozen=True)
class PublishedRecipe:
    """The ways to rebuild one file, the best first, and the reason if it can't be rebuilt in full."""

    ways: tuple[Way, ...] = ()
    reason: str | None = None


def recipe_of(path: str) -> PublishedRecipe:
    """Return the recipe of a published file."""
    for pattern, make in _PATTERNS.items():
        if match := re.fullmatch(pattern, path):
            return make(**match.groupdict())
    return PublishedRecipe(reason="it is not known how it was made")


def _test(name: str) -> PublishedRecipe:
    task = get_task(name.partition("_")[0])
    split = next(key for key, at in task.splits.items() if at.test == f"data/test/{name}.jsonl")
    return PublishedRecipe((Way((task.splits[split].raw,), partial(_build_test, task=task, split=split)),))


def _build_test(out: Path, raw: Path, *, task: Task, split: str) -> None:
    build_test(task, raw, out, split=split)


def _gsm8k_raw(split: str) -> PublishedRecipe:
    task = get_task("gsm8k")
    if split == "test":
        return PublishedRecipe((Way((task.splits["test"].test,), partial(rebuild_gsm8k_test, task=task)),))
    kept = ("question", "answer", "the augmented rows")
    make = partial(rebuild_gsm8k_ids, half=int(split[-1]))
    return PublishedRecipe((Way((), make, kept, reads_published=True),), AUGMENTED)


def _math_raw(split: str) -> PublishedRecipe:
    if split == "train_1":
        return PublishedRecipe(reason=PROBLEMS)
    return PublishedRecipe((Way((get_task("math").splits[split].test,), rebuild_math_raw),))


def _gold(name: str, half: str) -> PublishedRecipe:
    task = get_task(name)
    return PublishedRecipe((Way((task.splits[f"train_{half}"].raw,), partial(_build_gold, task=task)),))


def _build_gold(out: Path, raw: Path, *, task: Task) -> None:
    build_gold(task, raw, out)


def _full_weak(name: str, weak: str) -> PublishedRecipe:
    make = partial(_build_full_weak, task=get_task(name))
    return PublishedRecipe((Way((results_path(name, weak),), make),))


def _build_full_weak(out: Path, results: Path, *, task: Task) -> None:
    build_full_weak(task, results, out)


def _olympic_full_weak() -> PublishedRecipe:
    output = f"olympic_outputs/{OLYMPIC_WEAK}/test/output.jsonl"
    return PublishedRecipe((Way((output,), rebuild_olympic_full_weak, certain=False),), RESPONSES)


def _results(name: str, weak: str) -> PublishedRecipe:
    task = get_task(name)
    needed = (full_weak_path(name, weak), task.splits["train_2"].test)
    if has_cl100k():
        return PublishedRecipe((Way(needed, partial(_results_with_own_counts, task=task)),))
    kept = ("num_tokens (tiktoken has no cl100k vocabulary at hand)",)
    return PublishedRecipe(
        (Way(needed, partial(_results_with_published_counts, task=task), kept, reads_published=True),)
    )


def _results_with_own_counts(out: Path, full_weak: Path, golds: Path, *, task: Task) -> None:
    rebuild_results(out, full_weak, golds, None, task=task)


def _results_with_published_counts(
    out: Path, published: Path, full_weak: Path, golds: Path, *, task: Task
) -> None:
    rebuild_results(out, full_weak, golds, published, task=task)


@dataclass(frozen=True)
class Stage1Set:
    """The paths of one iteration's sets; the suffix `_wo_aug` names those before padding."""

    stem: str
    suffix: str = ""

    @property
    def unpadded(self) -> tuple[str, ...]:
        """For padded sets, the path of one side before padding; otherwise empty."""
        before = f"{self.stem}_weak_wo_aug.json"
        return () if self.suffix or before not in FILES else (before,)

    def path(self, side: str) -> str:
        """Return the path of a side."""
        return f"{self.stem}_{side}{self.suffix}.json"


def _stage1(stem: str, side: str, suffix: str | None) -> PublishedRecipe:
    own = Stage1Set(stem, suffix or "")
    sides = own.path("weak"), own.path("icl")
    if side == "hybrid":
        return PublishedRecipe((Way((*sides, *own.unpadded), rebuild_hybrid),))
    icl = side == "icl"
    ways = [Way((own.path("hybrid"), *own.unpadded), partial(rebuild_side, icl=icl))]
    if own.suffix:
        padded = Stage1Set(stem)
        make = partial(rebuild_unpadded_side, icl_side=icl)
        ways.append(Way((padded.path("weak"), padded.path("icl")), make, certain=False))
    elif side == "weak" and not own.unpadded and stem.endswith("_iter1"):
        full_weak = f"{stem.removesuffix('_iter1')}_full_weak.json"
        ways.append(Way((full_weak,), rebuild_weak_side, ("id",), reads_published=True))
    return PublishedRecipe(tuple(ways))


def _pairs(name: str, weak: str) -> PublishedRecipe:
    kept = ("id", "output")
    ways = [
        Way(
            (full_weak_path(name, weak),),
            rebuild_pairs_from_full_weak,
            kept,
            reads_published=True,
            certain=False,
        )
    ]
    if name != "olympic":
        task = get_task(name)
        make = partial(rebuild_pairs_from_split, task=task)
        ways.append(Way((task.splits["train_2"].test,), make, kept, reads_published=True, certain=False))
    return PublishedRecipe(tuple(ways), SAMPLES)


def _olympic_output(file: str) -> PublishedRecipe:
    if file == "input.jsonl":
        output = f"olympic_outputs/{OLYMPIC_WEAK}/test/output.jsonl"
        return PublishedRecipe((Way((output,), rebuild_olympic_input, certain=False),), PROBLEMS)
    return PublishedRecipe(reason=RESPONSES if file == "output.jsonl" else EVALUATION)


def full_weak_path(name: str, weak: str) -> str:
    """Return the path of a weak model's full weak file."""
    folder = "olympicarena" if name == "olympic" else name
    return f"{RELEASE_DATA}/{folder}/train_{name}_{weak}_full_weak.json"


def results_path(name: str, weak: str) -> str:
    """Return the path of a weak model's results on train_2."""
    return f"outputs/{name}_train_2/zero_shot/{weak}_{name}_1/zero-shot/direct/results.jsonl"


_DATASETS = re.escape(str(RELEASE_DATA))
_STEM = rf"{_DATASETS}/\w+/train_.+_iter\d"
_PATTERNS: dict[str, Callable[..., PublishedRecipe]] = {
    r"data/test/(?P<name>\w+)\.jsonl": _test,
    r"data/raw/gsm8k/(?P<split>\w+)\.jsonl": _gsm8k_raw,
    r"data/raw/math/(?P<split>\w+)\.jsonl": _math_raw,
    rf"{_DATASETS}/dataset_info\.json": lambda: PublishedRecipe((Way((), rebuild_index),)),
    rf"{_DATASETS}/\w+/(?P<name>gsm8k|math)_train_(?P<half>[12])\.json": _gold,
    rf"{_DATASETS}/\w+/train_(?P<name>gsm8k|math)_(?P<weak>\w+)_full_weak\.json": _full_weak,
    rf"{_DATASETS}/olympicarena/train_olympic_.+_full_weak\.json": _olympic_full_weak,
    rf"(?P<stem>{_STEM})_(?P<side>weak|icl|hybrid)(?P<suffix>_wo_aug)?\.json": _stage1,
    rf"{_DATASETS}/\w+/train_(?P<name>[^_]+)_(?P<weak>.+)_iter\d_hybrid_paired\.json": _pairs,
    r"outputs/\w+/zero_shot/(?P<weak>.+)_(?P<name>gsm8k|math)_1/zero-shot/direct/results\.jsonl": _results,
    rf"olympic_outputs/{OLYMPIC_WEAK}/test/(?P<file>.+)": _olympic_output,
}
