"""Each model of a run over its seeds: verdicts, accuracy, pass@k, and the performance gap recovered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from w2s_factory.errors import UserError
from w2s_factory.experiment.reporting.intervals import share_right
from w2s_factory.scoring.metrics import performance_gap_recovered
from w2s_factory.scoring.sampled import sampled
from w2s_factory.scoring.seeds import seed_files
from w2s_factory.scoring.verdicts import read_verdicts
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from w2s_factory.experiment.contents import Evaluated
    from w2s_factory.experiment.reporting.runs import Run
    from w2s_factory.records import Id
    from w2s_factory.scoring.metrics import Difference

FLOOR, CEILING = "weak_floor", "strong_ceiling"
ZERO_SHOT, WEAK_ICL, FULL_WEAK, CONTROL = "strong_zero_shot", "weak_icl", "full_weak_ft", "sft_chosen"
_STAGES = ("baseline", "stage1", "stage2")
_K = 10


@dataclass(frozen=True)
class Verdicts:
    """Which questions were answered rightly: seeds x questions.

    Attributes:
        seeds, questions: What the rows and the columns belong to.
        right: The verdicts.
        once: Whether the run has the model once for all seeds (not: once so far).
    """

    seeds: tuple[int, ...]
    questions: tuple[Id, ...]
    right: NDArray[np.bool_]
    once: bool

    def of(self, seeds: Sequence[int]) -> NDArray[np.bool_]:
        """The rows of these seeds; what the run has once stands for each of them."""
        if self.once:
            return np.repeat(self.right, len(seeds), axis=0)
        return self.right[[self.seeds.index(seed) for seed in seeds]]

    def by_seed(self) -> dict[int, float]:
        """The accuracy of each seed."""
        return dict(zip(self.seeds, self.right.mean(axis=1).tolist(), strict=True))


@dataclass(frozen=True)
class Sampled:
    """pass@k and maj@k, the mean over seeds."""

    k: int
    passed: float
    majority: float


@dataclass(frozen=True)
class Model:
    """A model, all its repetitions together.

    Attributes:
        key, label, stage, iteration: As in the run's contents.
        strict: Its verdicts.
        accuracy: Their share of right ones, with its 95 % interval.
        any_format: The verdicts where the last number counts in whatever format.
        sampled: What its sampled answers give.
    """

    key: str
    label: str
    stage: str
    iteration: int | None
    strict: Verdicts
    accuracy: Difference
    any_format: Verdicts | None
    sampled: Sampled | None


def models_of(run: Run) -> list[Model]:
    """The models whose results are there: baselines, Stage I, Stage II, ceiling; as in the contents within.

    Raises:
        UserError: Results can't be used, or repetitions of a model answer different questions.
    """
    together: dict[str, list[Evaluated]] = {}
    for one in run.contents.models:
        if run.has(one.results):
            together.setdefault(one.key, []).append(one)
    named = Counter(one.key for one in run.contents.models)
    models = [_model(run, repetitions, once=named[key] == 1) for key, repetitions in together.items()]
    return sorted(models, key=lambda model: (model.key == CEILING, _STAGES.index(model.stage)))


def find(models: Sequence[Model], key: str) -> Model | None:
    """The model of that key, if it is there."""
    return next((model for model in models if model.key == key), None)


def hybrids(models: Sequence[Model]) -> list[Model]:
    """The hybrid models of Stage I by iteration; the last one is M_plus."""
    found = [model for model in models if model.stage == "stage1" and model.key.endswith("hybrid_ft")]
    return sorted(found, key=lambda model: model.iteration or 0)


def gap_recovered(models: Sequence[Model], accuracy: float) -> float | None:
    """The PGR of an accuracy; None without a floor or a ceiling, or where they leave no gap."""
    floor, ceiling = find(models, FLOOR), find(models, CEILING)
    if not (floor and ceiling) or floor.accuracy.value >= ceiling.accuracy.value:
        return None
    return performance_gap_recovered(accuracy, floor.accuracy.value, ceiling.accuracy.value)


def _model(run: Run, repetitions: list[Evaluated], *, once: bool) -> Model:
    first = repetitions[0]
    strict = _verdicts(run, [(one.seed, one.results) for one in repetitions], once)
    any_format = [(one.seed, one.any_format) for one in repetitions if run.has(one.any_format)]
    return Model(
        key=first.key,
        label=first.label,
        stage=first.stage,
        iteration=first.iteration,
        strict=strict,
        accuracy=share_right(strict.right),
        any_format=_verdicts(run, any_format, once) if any_format else None,
        sampled=_sampled(run, [one.samples for one in repetitions if run.has(one.samples)]),
    )


def _verdicts(run: Run, files: Sequence[tuple[int, Path | None]], once: bool) -> Verdicts:
    read = [(seed, path, read_verdicts(run.at(path))) for seed, path in files if path is not None]
    read.sort(key=lambda one: one[0])
    _, first_path, first = read[0]
    for _, path, verdicts in read:
        if verdicts.keys() != first.keys():
            raise UserError(f"answers other questions than {run.at(first_path)}", file=run.at(path))
    right = np.array([[verdicts[name] for name in first] for _, _, verdicts in read], dtype=bool)
    return Verdicts(tuple(seed for seed, _, _ in read), tuple(first), right, once)


def _sampled(run: Run, folders: Sequence[Path | None]) -> Sampled | None:
    paths = [run.at(folder) for folder in folders if folder is not None]
    if not paths:
        return None
    k = min(_K, *(len(seed_files(path)) for path in paths))
    task = get_task(run.contents.task)
    rows = [sampled(path, k, task) for path in paths]
    mean = {name: sum(row[name] for row in rows) / len(rows) for name in ("pass_at_k", "maj_at_k")}
    return Sampled(k, mean["pass_at_k"], mean["maj_at_k"])
