"""How each published file can be made from others, and why some can't."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from w2s_factory.building import build_full_weak, build_gold, build_test
from w2s_factory.llamafactory.dataset_info import RELEASE_DATA
from w2s_factory.release import rebuilt_sets, sources
from w2s_factory.release.published_files import FILES
from w2s_factory.release.rebuilt_sets import OLYMPIC, index
from w2s_factory.release.sources import has_cl100k
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from w2s_factory.tasks import Task

SAMPLES = "the ten samples of M_plus that the pairs were drawn from are not published"
RESPONSES = "responses of a model, and not its weights, are what is published"
PROBLEMS = "how the problems were drawn and halved is not published"
AUGMENTED = "where the augmented rows come from and how they were halved is not published"
EVALUATION = "a benchmark's own evaluation output"


@dataclass(frozen=True)
class Way:
    """One way to make a published file.

    Attributes:
        sources: The published files it needs, as paths below the root.
        make: Writes the file; takes where to and then the sources, with `itself` the published file first.
        kept: What it takes over from the published file instead of making it.
        itself: Whether it reads the published file, for what is kept.
        certain: Whether it is known to give the published bytes: if so, others would be a difference.
    """

    sources: tuple[str, ...]
    make: Callable[..., Any]
    kept: tuple[str, ...] = ()
    itself: bool = False
    certain: bool = True

    def run(self, root: Path, path: str, out: Path) -> None:
        """Make the published file `path` at `out`."""
        published = [root / path] if self.itself else []
        self.make(out, *published, *(root / source for source in self.sources))


@dataclass(frozen=True)
class PublishedRecipe:
    """The ways to make one file, the best first, and why it can't be made in full where that is so."""

    ways: tuple[Way, ...] = ()
    reason: str | None = None


def recipe_of(path: str) -> PublishedRecipe:
    """How a published file can be made."""
    for pattern, make in _PATTERNS.items():
        if match := re.fullmatch(pattern, path):
            return make(**match.groupdict())
    return PublishedRecipe(reason="nothing is known of how it was made")


def _test(name: str) -> PublishedRecipe:
    task = get_task(name.partition("_")[0])
    split = next(key for key, at in task.splits.items() if at.test == f"data/test/{name}.jsonl")
    return PublishedRecipe((Way((task.splits[split].raw,), partial(_build_test, task=task, split=split)),))


def _build_test(out: Path, raw: Path, *, task: Task, split: str) -> None:
    build_test(task, raw, out, split=split)


def _gsm8k_raw(split: str) -> PublishedRecipe:
    task = get_task("gsm8k")
    if split == "test":
        return PublishedRecipe((Way((task.splits["test"].test,), partial(sources.gsm8k_test, task=task)),))
    kept = ("question", "answer", "the augmented rows")
    make = partial(sources.gsm8k_ids, half=int(split[-1]))
    return PublishedRecipe((Way((), make, kept, itself=True),), AUGMENTED)


def _math_raw(split: str) -> PublishedRecipe:
    if split == "train_1":
        return PublishedRecipe(reason=PROBLEMS)
    return PublishedRecipe((Way((get_task("math").splits[split].test,), sources.math_raw),))


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
    output = f"olympic_outputs/{OLYMPIC}/test/output.jsonl"
    return PublishedRecipe((Way((output,), sources.olympic_full_weak, certain=False),), RESPONSES)


def _results(name: str, weak: str) -> PublishedRecipe:
    task = get_task(name)
    needed = (full_weak_path(name, weak), task.splits["train_2"].test)
    if has_cl100k():
        return PublishedRecipe((Way(needed, partial(_results_counted, task=task)),))
    kept = ("num_tokens (tiktoken has no cl100k vocabulary at hand)",)
    return PublishedRecipe((Way(needed, partial(_results_as_counted, task=task), kept, itself=True),))


def _results_counted(out: Path, full_weak: Path, golds: Path, *, task: Task) -> None:
    sources.results(out, full_weak, golds, None, task=task)


def _results_as_counted(out: Path, published: Path, full_weak: Path, golds: Path, *, task: Task) -> None:
    sources.results(out, full_weak, golds, published, task=task)


@dataclass(frozen=True)
class Stage1Set:
    """The paths of one iteration's sets: as trained on, or (`suffix`) before padding."""

    stem: str
    suffix: str = ""

    @property
    def unpadded(self) -> tuple[str, ...]:
        """Of padded sets, a side before padding."""
        before = f"{self.stem}_weak_wo_aug.json"
        return () if self.suffix or before not in FILES else (before,)

    def path(self, side: str) -> str:
        """The path of a side."""
        return f"{self.stem}_{side}{self.suffix}.json"


def _stage1(stem: str, side: str, suffix: str | None) -> PublishedRecipe:
    of = Stage1Set(stem, suffix or "")
    sides = of.path("weak"), of.path("icl")
    if side == "hybrid":
        return PublishedRecipe((Way((*sides, *of.unpadded), rebuilt_sets.hybrid),))
    icl = side == "icl"
    ways = [Way((of.path("hybrid"), *of.unpadded), partial(rebuilt_sets.side, icl=icl))]
    if of.suffix:
        padded = Stage1Set(stem)
        make = partial(rebuilt_sets.agreeing, icl_side=icl)
        ways.append(Way((padded.path("weak"), padded.path("icl")), make, certain=False))
    elif side == "weak" and not of.unpadded and stem.endswith("_iter1"):
        full_weak = f"{stem.removesuffix('_iter1')}_full_weak.json"
        ways.append(Way((full_weak,), rebuilt_sets.at_ids, ("id",), itself=True))
    return PublishedRecipe(tuple(ways))


def _pairs(name: str, weak: str) -> PublishedRecipe:
    kept = ("id", "output")
    ways = [Way((full_weak_path(name, weak),), sources.pair_prompts_of, kept, itself=True, certain=False)]
    if name != "olympic":
        task = get_task(name)
        make = partial(sources.pair_prompts, task=task)
        ways.append(Way((task.splits["train_2"].test,), make, kept, itself=True, certain=False))
    return PublishedRecipe(tuple(ways), SAMPLES)


def _olympic_output(file: str) -> PublishedRecipe:
    if file == "input.jsonl":
        output = f"olympic_outputs/{OLYMPIC}/test/output.jsonl"
        return PublishedRecipe((Way((output,), sources.without_response, certain=False),), PROBLEMS)
    return PublishedRecipe(reason=RESPONSES if file == "output.jsonl" else EVALUATION)


def full_weak_path(name: str, weak: str) -> str:
    """Where a weak model's full weak file lies."""
    folder = "olympicarena" if name == "olympic" else name
    return f"{RELEASE_DATA}/{folder}/train_{name}_{weak}_full_weak.json"


def results_path(name: str, weak: str) -> str:
    """Where a weak model's results on train_2 lie."""
    return f"outputs/{name}_train_2/zero_shot/{weak}_{name}_1/zero-shot/direct/results.jsonl"


_DATASETS = re.escape(str(RELEASE_DATA))
_STEM = rf"{_DATASETS}/\w+/train_.+_iter\d"
_PATTERNS: dict[str, Callable[..., PublishedRecipe]] = {
    r"data/test/(?P<name>\w+)\.jsonl": _test,
    r"data/raw/gsm8k/(?P<split>\w+)\.jsonl": _gsm8k_raw,
    r"data/raw/math/(?P<split>\w+)\.jsonl": _math_raw,
    rf"{_DATASETS}/dataset_info\.json": lambda: PublishedRecipe((Way((), index),)),
    rf"{_DATASETS}/\w+/(?P<name>gsm8k|math)_train_(?P<half>[12])\.json": _gold,
    rf"{_DATASETS}/\w+/train_(?P<name>gsm8k|math)_(?P<weak>\w+)_full_weak\.json": _full_weak,
    rf"{_DATASETS}/olympicarena/train_olympic_.+_full_weak\.json": _olympic_full_weak,
    rf"(?P<stem>{_STEM})_(?P<side>weak|icl|hybrid)(?P<suffix>_wo_aug)?\.json": _stage1,
    rf"{_DATASETS}/\w+/train_(?P<name>[^_]+)_(?P<weak>.+)_iter\d_hybrid_paired\.json": _pairs,
    r"outputs/\w+/zero_shot/(?P<weak>.+)_(?P<name>gsm8k|math)_1/zero-shot/direct/results\.jsonl": _results,
    rf"olympic_outputs/{OLYMPIC}/test/(?P<file>.+)": _olympic_output,
}
