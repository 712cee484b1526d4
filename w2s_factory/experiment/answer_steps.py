"""Steps in which a model answers a split and its answers are scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.experiment.answer_settings import CHAT
from w2s_factory.experiment.run_contents import Evaluated
from w2s_factory.experiment.step_options import (
    generate_options,
    mode_options,
    scoring_options,
    temperature_of,
)
from w2s_factory.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.experiment.answer_settings import AvgAt, PassAt
    from w2s_factory.experiment.run_contents import Stage
    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.experiment.steps import Answerer, Draft

RESULTS = "results.jsonl"
ANY_FORMAT = "results_any.jsonl"


def has_any_format(experiment: Experiment) -> bool:
    """Return whether answers are also found in any format: where the published way needs the answer key."""
    by_key = experiment.scoring.extract in (None, "published")
    return by_key and type(experiment.the_task).extract_any is not Task.extract_any


def answer(
    draft: Draft, who: Answerer, split: str, *, demos: str | None = None, any_format: bool = False
) -> str:
    """Add the steps of a model's answers to a split, one to each question, and return the file of results.

    They are greedy. Where the experiment sets a temperature, they are drawn with the repetition's seed.
    """
    folder = draft.tree.answers(split, who.name, few_shot=demos is not None)
    label, temperature = _label(who, split, demos), temperature_of(draft.experiment, who)
    options, written = _shown(draft, demos), folder
    if temperature > 0:
        options += ["--samples", "1", "--first-seed", str(draft.seed), "--temperature", str(temperature)]
        written = f"{folder}/t{float(temperature)}/seed{draft.seed}"
    _generate(draft, who, split, folder, label, [f"{written}/output.jsonl"], options)
    _score(draft, who, split, [written], label, any_format=any_format)
    return f"{written}/{RESULTS}"


def sample(  # noqa: PLR0913  each describes the samples
    draft: Draft,
    who: Answerer,
    split: str,
    count: int,
    temperature: float,
    *,
    demos: str | None = None,
    name: str = "samples",
    folder: str | None = None,
    any_format: bool = False,
) -> tuple[str, list[str]]:
    """Add the steps of sampled answers to a split.

    Repetition n takes the seeds from n * count on, so that repetition 0 has the published 0 to 9.

    Args:
        draft: The draft to which the steps are added.
        who: The model.
        split: The split.
        count: The number of samples of each question.
        temperature: Their temperature.
        demos: The file of demonstrations; None for zero-shot prompts.
        name: The end of the steps' names.
        folder: The folder in which they are written; that of the model's answers if None.
        any_format: Whether the first sample is also scored in any format.

    Returns:
        The folder that holds a folder for each seed, and the file of results of each seed.
    """
    folder = folder or draft.tree.answers(split, who.name, few_shot=demos is not None)
    sampled = f"{folder}/t{float(temperature)}"
    seeds = range(draft.seed * count, (draft.seed + 1) * count)
    per_job = draft.experiment.generation.samples_per_job or count
    label = f"{_label(who, split, demos)}_{name}"
    for first in seeds[::per_job]:
        part = seeds[first - seeds[0] : first - seeds[0] + per_job]
        options = ["--samples", str(len(part)), "--first-seed", str(first), "--temperature", str(temperature)]
        files = [f"{sampled}/seed{seed}/output.jsonl" for seed in part]
        job = label if len(part) == count else f"{label}_{first}"
        _generate(draft, who, split, folder, job, files, [*_shown(draft, demos), *options])
    folders = [f"{sampled}/seed{seed}" for seed in seeds]
    _score(draft, who, split, folders, label, any_format=any_format)
    return sampled, [f"{folder}/{RESULTS}" for folder in folders]


def _generate(
    draft: Draft,
    who: Answerer,
    split: str,
    folder: str,
    label: str,
    files: Sequence[str],
    options: Sequence[str],
) -> None:
    """Add the generation as one job, or as one for each shard and one that merges them."""
    _check_served(draft, who)
    shards = draft.experiment.generation.shards
    golds = draft.tree.golds(split)
    demos = [options[options.index("--demos") + 1]] if "--demos" in options else []
    command = ["generate", "--task", draft.task.argument, "--questions", golds]
    command += [
        *_model(who),
        *generate_options(draft.experiment, who, split, demonstrated=bool(demos)),
        *options,
        "--output-dir",
        folder,
        "--restart-if-changed",
    ]
    reads = [golds, *demos, *who.reads, *_template_files(draft, who)]
    if shards == 1:
        draft.add(f"generate_{label}", "generate", command, reads=reads, writes=files)
        return
    parts = []
    for shard in range(1, shards + 1):
        written = [_of_shard(file, shard, shards) for file in files]
        name = f"generate_{label}_shard{shard}"
        draft.add(name, "generate", [*command, "--shard", f"{shard}/{shards}"], reads=reads, writes=written)
        parts += written
    joins = [["merge-shards", file.rpartition("/")[0], "--here", "--force"] for file in files]
    draft.add(f"merge_{label}", "data", *joins, reads=parts, writes=files)


def _check_served(draft: Draft, who: Answerer) -> None:
    """Check that a server can answer for a model that this run trains: it loads adapters, but no base model.

    Raises:
        UserError: It cannot; found when the run is planned, not after hours of training.
    """
    settings = draft.experiment.answering(who.of)
    if settings.engine != "openai" or not who.made:
        return
    if who.adapter is None or who.model.startswith(f"{draft.tree.root}/"):
        problem = f"{who.role} is trained in this run on a base model that no server has"
        raise UserError(problem, field="generation.engine", hint="Use transformers or vllm")
    if settings.options.get("load_adapters") is not True:
        problem = f"the adapter of {who.role} is trained in this run, so the server has to load it"
        hint = "Add load_adapters: true, and start the server so that it may"
        raise UserError(problem, field="generation.options", hint=hint)


def _of_shard(file: str, shard: int, shards: int) -> str:
    folder, _, name = file.rpartition("/")
    return f"{folder}/shards/{shard}-of-{shards}/{name}"


def _score(
    draft: Draft,
    who: Answerer,
    split: str,
    folders: Sequence[str],
    label: str,
    *,
    any_format: bool = False,
) -> None:
    """Add the scoring of all folders as one job: starting a job takes longer than scoring a folder.

    With `any_format`, the first folder is also scored in any format.
    """
    golds = draft.tree.golds(split)
    reads = [golds, *(f"{folder}/output.jsonl" for folder in folders)]
    commands, writes = [], []
    for folder in folders:
        command = ["score", "--task", draft.task.argument, "--golds", golds]
        command += ["--input", f"{folder}/output.jsonl"]
        command += ["--partial"] if draft.experiment.limited(split) else []
        twice = any_format and folder == folders[0]
        names = [ANY_FORMAT, RESULTS] if twice else [RESULTS]  # the last one writes metrics.json
        for name in names:
            how = (
                [*mode_options(draft.experiment), "--answers", "any"]
                if name == ANY_FORMAT
                else scoring_options(draft.experiment, who)
            )
            commands.append([*command, *how, "--output", f"{folder}/{name}", "--force"])
            writes.append(f"{folder}/{name}")
    draft.add(f"score_{label}", "score", *commands, reads=reads, writes=writes)


def _model(who: Answerer) -> list[str]:
    return ["--model", who.model, *(["--adapter", who.adapter] if who.adapter else [])]


def _shown(draft: Draft, demos: str | None) -> list[str]:
    if demos is None:
        return []
    exclude = draft.experiment.demonstrations.exclude_demos
    return ["--demos", demos, *(["--exclude-demos"] if exclude else [])]


def _template_files(draft: Draft, who: Answerer) -> list[str]:
    """Return the Jinja file by which a model is asked, if the experiment names one."""
    chat = draft.experiment.chat(who.of)
    return [] if chat in CHAT else [chat]


def _label(who: Answerer, split: str, demos: str | None) -> str:
    return f"{who.role}{'_few_shot' if demos else ''}_{split}"


def evaluate(  # noqa: PLR0913  each describes the model
    draft: Draft,
    key: str,
    label: str,
    who: Answerer,
    *,
    stage: Stage = "baseline",
    iteration: int | None = None,
    demos: str | None = None,
    trained: bool = True,
    pairs: str | None = None,
    method: str | None = None,
) -> None:
    """Add the steps of a model's evaluation, and add the model to those of the report."""
    any_format = key == "strong_zero_shot" and has_any_format(draft.experiment)
    answered = _answered(draft, key, who, demos, any_format=any_format)
    draft.models.append(
        Evaluated(
            key=key,
            label=label,
            stage=stage,
            iteration=iteration,
            seed=draft.seed,
            results=answered.results,
            any_format=answered.results.with_name(ANY_FORMAT) if any_format else None,
            samples=answered.pass_at,
            averaged=answered.avg_at,
            training=Path(who.made[-1]).parent if trained and who.made else None,
            pairs=pairs,
            method=method,
        )
    )


@dataclass(frozen=True)
class _Answered:
    """The files of a model's evaluation: one answer to each question, and folders of samples, if any."""

    results: Path
    pass_at: Path | None
    avg_at: Path | None


def _answered(draft: Draft, key: str, who: Answerer, demos: str | None, *, any_format: bool) -> _Answered:
    """Add the steps of a model's answers to the split of the evaluation.

    Samples of the same temperature are drawn once; if the model's one answer has it, too, it is the first.
    """
    evaluation, split = draft.experiment.evaluation, draft.experiment.split
    single = temperature_of(draft.experiment, who)
    passed = drawn(evaluation.pass_at, key, single)
    averaged = drawn(evaluation.avg_at, key, single)
    counts: dict[float, int] = {}
    for wanted in filter(None, (passed, averaged)):
        counts[wanted.temperature] = max(wanted.count, counts.get(wanted.temperature, 0))
    results = None if single in counts else answer(draft, who, split, demos=demos, any_format=any_format)
    folders: dict[float, Path] = {}
    for number, (temperature, count) in enumerate(counts.items()):
        name = "samples" if number == 0 else f"samples_t{float(temperature)}"
        first = any_format and temperature == single
        folder, files = sample(
            draft, who, split, count, temperature, demos=demos, name=name, any_format=first
        )
        folders[temperature] = Path(folder)
        results = files[0] if temperature == single else results
    return _Answered(
        Path(str(results)),
        folders[passed.temperature] if passed else None,
        folders[averaged.temperature] if averaged else None,
    )


@dataclass(frozen=True)
class Draws:
    """The number of samples of each question, and their temperature."""

    count: int
    temperature: float


def drawn(wanted: PassAt | AvgAt | None, key: str, single: float) -> Draws | None:
    """Return the samples that a measurement needs of a model; None if it is not measured.

    Args:
        wanted: The measurement.
        key: The model's key.
        single: The temperature of the model's one answer to each question, the default of avg@k.

    Raises:
        UserError: The samples would be greedy.
    """
    if wanted is None or (wanted.models is not None and key not in wanted.models):
        return None
    temperature = single if wanted.temperature is None else wanted.temperature
    if temperature == 0:
        raise UserError(
            f"greedy samples of {key} are all the same: expected a temperature above 0",
            field="evaluation.avg_at.temperature",
            hint="Set it, or a temperature in generation.sampling",
        )
    return Draws(wanted.k, temperature)
