"""The models of a run over all its seeds: verdicts, accuracy (bootstrap over seeds), pass@k, avg@k, PGR."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np

from w2s_factory.errors import UserError
from w2s_factory.experiment.run_contents import CONTROL, SELF_TRAINING, Stage
from w2s_factory.quantities import PAIR_CONTROLS, PUBLISHED_SAMPLES
from w2s_factory.scoring.golds import read_golds
from w2s_factory.scoring.metrics import (
    Difference,
    bootstrap_mean,
    paired_bootstrap,
    performance_gap_recovered,
    wilson_interval,
)
from w2s_factory.scoring.seeds import seed_files, seed_sources
from w2s_factory.scoring.verdicts import read_verdicts, sampled, shares_right
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
    """Return the accuracy of verdicts (seeds x questions) with its 95 % interval.

    With one seed, or if all verdicts are equal, it is Wilson's interval over the questions; with several, a
    bootstrap over questions and seeds (`crossed_bootstrap`).
    """
    seeds, questions = right.shape
    value = float(right.mean())
    if seeds == 1 or value in {0.0, 1.0}:
        return Difference(value, *wilson_interval(round(value * questions), questions))
    return crossed_bootstrap(right.astype(float))


def difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference:
    """Return the accuracy of `second` minus that of `first` (paired, seeds x questions), with its interval.

    With one seed it is the paired bootstrap of `evaluate`; with several, one over questions and seeds.
    """
    if len(first) == 1:
        return paired_bootstrap(first[0].tolist(), second[0].tolist())
    return crossed_bootstrap(second.astype(float) - first.astype(float))


def crossed_bootstrap(values: NDArray[np.float64]) -> Difference:
    """Return the mean of values (seeds x questions) with the 95 % interval of a bootstrap over both at once.

    Each of 10,000 resamples draws as many questions as there are, and one seed fewer than there are: with
    so few seeds, drawing all of them would make the spread too small by (S - 1) / S (McCarthy and Snowden
    1985). If seeds differ by no more than chance, the interval is too wide rather than too narrow.
    Questions with the same values on all seeds are interchangeable, so only their numbers are drawn.
    """
    return _crossed_bootstrap(values.shape, values.tobytes())


@lru_cache(maxsize=256)  # a report asks for some intervals several times: in tables, figures and its summary
def _crossed_bootstrap(shape: tuple[int, ...], content: bytes) -> Difference:
    values = np.frombuffer(content).reshape(shape)
    seeds, questions = shape
    kinds, counts = np.unique(values, axis=1, return_counts=True)
    generator = np.random.default_rng(_SEED)
    of_seeds = generator.multinomial(seeds - 1, [1 / seeds] * seeds, size=_RESAMPLES) / (seeds - 1)
    of_kinds = generator.multinomial(questions, counts / questions, size=_RESAMPLES) / questions
    low, high = np.quantile(((of_seeds @ kinds) * of_kinds).sum(axis=1), [0.025, 0.975])
    return Difference(float(values.mean()), float(low), float(high))


FLOOR, CEILING = "weak_floor", "strong_ceiling"
ZERO_SHOT, WEAK_ICL, FULL_WEAK = "strong_zero_shot", "weak_icl", "full_weak_ft"
_STAGES = get_args(Stage)


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on a model's answers.

    Attributes:
        seeds: The seed of each row of `right`.
        questions: The id of each column of `right`.
        right: Whether an answer is correct (seeds x questions).
        once: Whether the run has the model only once, for all seeds together.
    """

    seeds: tuple[int, ...]
    questions: tuple[Id, ...]
    right: NDArray[np.bool_]
    once: bool

    def of(self, seeds: Sequence[int]) -> NDArray[np.bool_]:
        """Return the rows of these seeds; a model that the run has once has the same row for each."""
        if self.once:
            return np.repeat(self.right, len(seeds), axis=0)
        return self.right[[self.seeds.index(seed) for seed in seeds]]

    def by_seed(self) -> dict[int, float]:
        """Return the accuracy of each seed."""
        return dict(zip(self.seeds, self.right.mean(axis=1).tolist(), strict=True))


@dataclass(frozen=True)
class Sampled:
    """The means over the seeds of pass@k (`passed`) and maj@k (`majority`)."""

    k: int
    passed: float
    majority: float


@dataclass(frozen=True)
class Averaged:
    """avg@k: the mean accuracy over k samples of each question and over the seeds, with its interval."""

    k: int
    accuracy: Difference


@dataclass(frozen=True)
class ReportedModel:
    """A model with all its repetitions.

    Attributes:
        key: Its key, as in the run's contents.
        label: Its label.
        stage: Its stage.
        iteration: Its iteration of Stage I; None for other models.
        strict: Its verdicts.
        accuracy: The share of correct answers, with its 95 % interval.
        any_format: The verdicts if the last number counts in any format; None if they do not exist.
        sampled: pass@k and maj@k of its sampled answers; None if there are none.
        m_plus: Whether it is the hybrid of the run's last iteration.
        averaged: avg@k of its sampled answers; None if it is not measured.
        pairs: The pairs that it was trained on, where these are not the published ones.
        method: The method of Stage II by which it was trained; None for models of other stages.
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
    averaged: Averaged | None = None
    pairs: str | None = None
    method: str | None = None

    @property
    def is_control(self) -> bool:
        """Whether it is a control of Stage II: trained on chosen responses alone, by gold, or by chance."""
        return self.method == CONTROL or self.pairs in PAIR_CONTROLS


def models_of(run: Run) -> list[ReportedModel]:
    """Return the models whose results exist: baselines, Stage I, Stage II, ceiling, in this order.

    Raises:
        UserError: Results cannot be used, or repetitions of a model answer different questions.
    """
    together: dict[str, list[Evaluated]] = {}
    evaluated = run.contents.models
    for model in evaluated:
        if run.has(model.results):
            together.setdefault(model.key, []).append(model)
    named = Counter(model.key for model in evaluated)
    last = max((model.iteration or 0 for model in evaluated if is_hybrid(model)), default=None)
    models = [
        _model(run, repetitions, once=named[key] == 1, last=last) for key, repetitions in together.items()
    ]
    return sorted(models, key=lambda model: (model.key == CEILING, _STAGES.index(model.stage)))


def find(models: Sequence[ReportedModel], key: str) -> ReportedModel | None:
    """Return the model of a key; None if there is none."""
    return next((model for model in models if model.key == key), None)


def control_of(models: Sequence[ReportedModel], model: ReportedModel) -> ReportedModel | None:
    """Return the model fine-tuned on the chosen side of the pairs that a model was trained on.

    Returns None if there is none, as for a model that was not trained on pairs.
    """
    if model.method in (None, CONTROL, SELF_TRAINING):
        return None
    controls = (other for other in models if other.method == CONTROL)
    return next((other for other in controls if other.pairs == model.pairs), None)


def hybrids(models: Sequence[ReportedModel]) -> list[ReportedModel]:
    """Return the evaluated hybrid models of Stage I, by iteration."""
    return sorted(filter(is_hybrid, models), key=lambda model: model.iteration or 0)


def is_hybrid(model: ReportedModel | Evaluated) -> bool:
    """Return whether a model was trained on the hybrid set of Stage I."""
    return model.stage == "stage1" and model.key.endswith("hybrid_ft")


def m_plus_of(models: Sequence[ReportedModel]) -> ReportedModel | None:
    """Return M_plus, the hybrid of the run's last iteration; None if it is not evaluated yet."""
    return next((model for model in models if model.m_plus), None)


def common_seeds(*verdicts: Verdicts) -> list[int]:
    """Return the seeds that all have; a model that the run has once has all seeds of the others."""
    several = [verdict.seeds for verdict in verdicts if not verdict.once] or [verdicts[0].seeds]
    return [seed for seed in several[0] if all(seed in others for others in several)]


def gap_recovered(models: Sequence[ReportedModel], model: ReportedModel) -> float | None:
    """Return the PGR of a model on the seeds that it has in common with floor and ceiling.

    Returns None without a floor or a ceiling, if the ceiling is not above the floor, or if the three have no
    seed in common or answered different questions.
    """
    floor, ceiling = find(models, FLOOR), find(models, CEILING)
    if not (floor and ceiling):
        return None
    three = [which.strict for which in (model, floor, ceiling)]
    seeds = common_seeds(*three)
    if not seeds or any(set(verdicts.questions) != set(three[0].questions) for verdicts in three):
        return None
    accuracy, low, high = (float(verdicts.of(seeds).mean()) for verdicts in three)
    return None if low >= high else performance_gap_recovered(accuracy, low, high)


def _model(run: Run, repetitions: list[Evaluated], *, once: bool, last: int | None) -> ReportedModel:
    first = repetitions[0]
    strict = _verdicts(run, [(model.seed, model.results) for model in repetitions], once)
    any_format = [(model.seed, model.any_format) for model in repetitions if run.has(model.any_format)]
    return ReportedModel(
        key=first.key,
        label=first.label,
        stage=first.stage,
        iteration=first.iteration,
        strict=strict,
        accuracy=share_right(strict.right),
        any_format=_verdicts(run, any_format, once) if any_format else None,
        sampled=_sampled(run, [model.samples for model in repetitions if run.has_samples(model.samples)]),
        m_plus=is_hybrid(first) and first.iteration == last,
        averaged=_averaged(run, [model.averaged for model in repetitions if run.has_samples(model.averaged)]),
        pairs=first.pairs,
        method=(first.method or first.key) if first.stage == "stage2" else None,
    )


def _verdicts(run: Run, files: Sequence[tuple[int, Path | None]], once: bool) -> Verdicts:
    read = [(seed, path, read_verdicts(run.at(path))) for seed, path in files if path is not None]
    read.sort(key=lambda repetition: repetition[0])
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
    k = min(PUBLISHED_SAMPLES, *(len(seed_files(path)) for path in paths))
    task = get_task(run.contents.task)
    rows = [sampled(path, k, task) for path in paths]
    mean = {name: sum(row[name] for row in rows) / len(rows) for name in ("pass_at_k", "maj_at_k")}
    return Sampled(k, mean["pass_at_k"], mean["maj_at_k"])


def _averaged(run: Run, folders: Sequence[Path | None]) -> Averaged | None:
    k, paths = run.contents.avg_at, [run.at(folder) for folder in folders if folder is not None]
    if k is None or not paths:
        return None
    shares = [shares_right(seed_sources(path), k, str(path))[0] for path in paths]
    for path, others in zip(paths, shares, strict=True):
        if others.keys() != shares[0].keys():
            raise UserError(f"answers other questions than {paths[0]}", file=path)
    values = np.array([[others[name] for name in shares[0]] for others in shares])
    one_value = values.min() == values.max()
    return Averaged(
        k, bootstrap_mean(values[0]) if len(values) == 1 or one_value else crossed_bootstrap(values)
    )


_MOST_VALUES = 12
"""The most values of a tag that groups questions; one with more (MATH's `unique_id`) names them."""


@dataclass(frozen=True)
class Group:
    """The questions with one value of a tag, and each model's accuracy on them.

    Attributes:
        tag: The tag, such as `level`.
        value: Its value, such as `3`.
        questions: The number of these questions that at least one model answered.
        accuracies: The accuracy of each model, by its key.
    """

    tag: str
    value: Any
    questions: int
    accuracies: dict[str, Difference]


def compared_by_tag(models: Sequence[ReportedModel]) -> list[ReportedModel]:
    """Return the models whose accuracy is shown by tag: floor, M_plus, Stage II, ceiling."""
    stage2 = [model for model in models if model.stage == "stage2"]
    chosen = [find(models, FLOOR), *hybrids(models)[-1:], *stage2, find(models, CEILING)]
    return [model for model in chosen if model is not None]


def groups(run: Run, models: Sequence[ReportedModel]) -> list[Group]:
    """Return the groups of each tag, in the order of their values; none if the golds have no tags.

    Raises:
        UserError: The golds cannot be read.
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
    """Return the sort key of a tag's value: numbers by size, then texts."""
    return isinstance(value, str), value
