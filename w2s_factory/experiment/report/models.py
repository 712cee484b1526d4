"""Models of a run over its seeds: verdicts, accuracy with intervals, pass@k, PGR, accuracy by tag."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from w2s_factory.errors import UserError
from w2s_factory.scoring.golds import read_golds
from w2s_factory.scoring.metrics import (
    Difference,
    paired_bootstrap,
    performance_gap_recovered,
    wilson_interval,
)
from w2s_factory.scoring.seeds import seed_files
from w2s_factory.scoring.verdicts import read_verdicts, sampled
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.experiment.run_contents import Evaluated
    from w2s_factory.records import Id

_RESAMPLES: Final = 10_000
_SEED: Final = 42


def share_right(right: NDArray[np.bool_]) -> Difference:
    """The accuracy of verdicts (seeds x questions) and its interval.

    One seed: Wilson's. Several: over questions and seeds, see `crossed_bootstrap`; where all verdicts are
    the same there is nothing to resample, and it is Wilson's of the questions.
    """
    seeds, questions = right.shape
    value = float(right.mean())
    if seeds == 1 or value in {0.0, 1.0}:
        return Difference(value, *wilson_interval(round(value * questions), questions))
    return crossed_bootstrap(right.astype(float))


def difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference:
    """The accuracy of `second` less that of `first`: the same seeds and questions, paired.

    One seed: the paired bootstrap of `evaluate`. Several: over questions and seeds.
    """
    if len(first) == 1:
        return paired_bootstrap(first[0].tolist(), second[0].tolist())
    return crossed_bootstrap(second.astype(float) - first.astype(float))


def crossed_bootstrap(values: NDArray[np.float64]) -> Difference:
    """The mean of values (seeds x questions), and the 95 % interval of a bootstrap of both at once.

    Each of 10,000 resamples draws as many questions as there are, and one seed fewer than there are: with
    so few seeds, drawing all of them would make the spread too small by (S - 1) / S (McCarthy and Snowden
    1985). Where seeds differ by no more than chance the interval is too wide rather than too narrow.
    Questions with the same values on all seeds are alike, so only how many of each kind is drawn.
    """
    seeds, questions = values.shape
    kinds, counts = np.unique(values, axis=1, return_counts=True)
    generator = np.random.default_rng(_SEED)
    of_seeds = generator.multinomial(seeds - 1, [1 / seeds] * seeds, size=_RESAMPLES) / (seeds - 1)
    of_kinds = generator.multinomial(questions, counts / questions, size=_RESAMPLES) / questions
    low, high = np.quantile(((of_seeds @ kinds) * of_kinds).sum(axis=1), [0.025, 0.975])
    return Difference(float(values.mean()), float(low), float(high))


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
class ReportedModel:
    """A model, all its repetitions together.

    Attributes:
        key, label, stage, iteration: As in the run's contents.
        strict: Its verdicts.
        accuracy: Their share of right ones, with its 95 % interval.
        any_format: The verdicts where the last number counts in whatever format.
        sampled: What its sampled answers give.
        m_plus: Whether it is the hybrid of the last iteration the run has, evaluated or not.
    """

    key: str
    label: str
    stage: str
    iteration: int | None
    strict: Verdicts
    accuracy: Difference
    any_format: Verdicts | None
    sampled: Sampled | None
    m_plus: bool = False


def models_of(run: Run) -> list[ReportedModel]:
    """The models whose results are there: baselines, Stage I, Stage II, ceiling; as in the contents within.

    Raises:
        UserError: Results can't be used, or repetitions of a model answer different questions.
    """
    together: dict[str, list[Evaluated]] = {}
    for one in run.contents.models:
        if run.has(one.results):
            together.setdefault(one.key, []).append(one)
    named = Counter(one.key for one in run.contents.models)
    last = max((one.iteration or 0 for one in run.contents.models if is_hybrid(one)), default=None)
    models = [
        _model(run, repetitions, once=named[key] == 1, last=last) for key, repetitions in together.items()
    ]
    return sorted(models, key=lambda model: (model.key == CEILING, _STAGES.index(model.stage)))


def find(models: Sequence[ReportedModel], key: str) -> ReportedModel | None:
    """The model of that key, if it is there."""
    return next((model for model in models if model.key == key), None)


def hybrids(models: Sequence[ReportedModel]) -> list[ReportedModel]:
    """The hybrid models of Stage I that are evaluated, by iteration."""
    return sorted(filter(is_hybrid, models), key=lambda model: model.iteration or 0)


def is_hybrid(model: ReportedModel | Evaluated) -> bool:
    """Whether it was trained on both sides of Stage I."""
    return model.stage == "stage1" and model.key.endswith("hybrid_ft")


def m_plus_of(models: Sequence[ReportedModel]) -> ReportedModel | None:
    """M_plus, the hybrid of the run's last iteration; None while it is not evaluated."""
    return next((model for model in models if model.m_plus), None)


def common_seeds(*verdicts: Verdicts) -> list[int]:
    """The seeds all have; what the run has once goes with all seeds of the others."""
    several = [one.seeds for one in verdicts if not one.once] or [verdicts[0].seeds]
    return [seed for seed in several[0] if all(seed in others for others in several)]


def gap_recovered(models: Sequence[ReportedModel], model: ReportedModel) -> float | None:
    """The PGR of a model, on the seeds it has in common with floor and ceiling.

    None without a floor or a ceiling, where they leave no gap, or where the three have no seed in common or
    answered different questions.
    """
    floor, ceiling = find(models, FLOOR), find(models, CEILING)
    if not (floor and ceiling):
        return None
    three = [one.strict for one in (model, floor, ceiling)]
    seeds = common_seeds(*three)
    if not seeds or any(set(one.questions) != set(three[0].questions) for one in three):
        return None
    accuracy, low, high = (float(one.of(seeds).mean()) for one in three)
    return None if low >= high else performance_gap_recovered(accuracy, low, high)


def _model(run: Run, repetitions: list[Evaluated], *, once: bool, last: int | None) -> ReportedModel:
    first = repetitions[0]
    strict = _verdicts(run, [(one.seed, one.results) for one in repetitions], once)
    any_format = [(one.seed, one.any_format) for one in repetitions if run.has(one.any_format)]
    return ReportedModel(
        key=first.key,
        label=first.label,
        stage=first.stage,
        iteration=first.iteration,
        strict=strict,
        accuracy=share_right(strict.right),
        any_format=_verdicts(run, any_format, once) if any_format else None,
        sampled=_sampled(run, [one.samples for one in repetitions if run.has_samples(one.samples)]),
        m_plus=is_hybrid(first) and first.iteration == last,
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


_MOST_VALUES = 12
"""A tag with more values than this names questions, it does not group them (MATH: `unique_id`)."""


@dataclass(frozen=True)
class Group:
    """The questions with one value of a tag, and each model's accuracy on them.

    Attributes:
        tag, value: `level`, `3`.
        questions: How many of them any model answered.
        accuracies: By the model's key.
    """

    tag: str
    value: Any
    questions: int
    accuracies: dict[str, Difference]


def compared_by_tag(models: Sequence[ReportedModel]) -> list[ReportedModel]:
    """The models that are broken down: floor, M_plus, Stage II, ceiling."""
    stage2 = [model for model in models if model.stage == "stage2"]
    chosen = [find(models, FLOOR), *hybrids(models)[-1:], *stage2, find(models, CEILING)]
    return [model for model in chosen if model is not None]


def groups(run: Run, models: Sequence[ReportedModel]) -> list[Group]:
    """The groups of each tag, in the order of their values; empty where the golds have no tags.

    Raises:
        UserError: The golds can't be read.
    """
    if not run.has(run.contents.golds):
        return []
    tags = {name: gold.get("tag", {}) for name, gold in read_golds(run.at(run.contents.golds)).items()}
    names = dict.fromkeys(name for tag in tags.values() for name in tag)
    return [group for name in names for group in _groups(name, tags, compared_by_tag(models))]


def _groups(name: str, tags: dict[Id, dict[str, Any]], models: list[ReportedModel]) -> list[Group]:
    values = {tag[name] for tag in tags.values() if isinstance(tag.get(name), (str, int))}
    if not 1 < len(values) <= _MOST_VALUES:
        return []
    members = {
        value: {question for question, tag in tags.items() if tag.get(name) == value} for value in values
    }
    return [_group(name, value, members[value], models) for value in sorted(values, key=_order)]


def _group(name: str, value: Any, members: set[Id], models: list[ReportedModel]) -> Group:
    accuracies = {}
    for model in models:
        columns = [place for place, question in enumerate(model.strict.questions) if question in members]
        if columns:
            accuracies[model.key] = share_right(model.strict.right[:, columns])
    answered = members & {question for model in models for question in model.strict.questions}
    return Group(name, value, len(answered), accuracies)


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers by size, then texts."""
    return isinstance(value, str), value
