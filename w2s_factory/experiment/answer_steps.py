"""Steps in which a model answers a split and its answers are scored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.experiment.run_contents import Evaluated
from w2s_factory.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.experiment.run_contents import Stage
    from w2s_factory.experiment.steps import Answerer, Draft

RESULTS = "results.jsonl"
ANY_FORMAT = "results_any.jsonl"


def has_any_format(task: Task) -> bool:
    """Return whether the task can find a final answer in any format."""
    return type(task).extract_any is not Task.extract_any


def answer(
    draft: Draft, who: Answerer, split: str, *, demos: str | None = None, any_format: bool = False
) -> str:
    """Add the steps of a model's greedy answers to a split, and return the file of results."""
    folder = draft.tree.answers(split, who.name, few_shot=demos is not None)
    label = _label(who, split, demos)
    _generate(draft, who, split, folder, label, [f"{folder}/output.jsonl"], _shown(draft, demos))
    _score(draft, split, [folder], label, any_format=any_format)
    return f"{folder}/{RESULTS}"


def sample(
    draft: Draft, who: Answerer, split: str, count: int, temperature: float, *, demos: str | None = None
) -> tuple[str, list[str]]:
    """Add the steps of sampled answers to a split.

    Repetition n takes the seeds from n * count on, so that repetition 0 has the published 0 to 9.

    Returns:
        The folder that holds a folder for each seed, and the file of results of each seed.
    """
    folder = draft.tree.answers(split, who.name, few_shot=demos is not None)
    sampled = f"{folder}/t{float(temperature)}"
    seeds = range(draft.seed * count, (draft.seed + 1) * count)
    per_job = draft.experiment.generation.samples_per_job or count
    label = f"{_label(who, split, demos)}_samples"
    for first in seeds[::per_job]:
        part = seeds[first - seeds[0] : first - seeds[0] + per_job]
        options = ["--samples", str(len(part)), "--first-seed", str(first), "--temperature", str(temperature)]
        files = [f"{sampled}/seed{seed}/output.jsonl" for seed in part]
        name = label if len(part) == count else f"{label}_{first}"
        _generate(draft, who, split, folder, name, files, [*_shown(draft, demos), *options])
    folders = [f"{sampled}/seed{seed}" for seed in seeds]
    _score(draft, split, folders, label)
    return sampled, [f"{folder}/{RESULTS}" for folder in folders]


def limited(draft: Draft, split: str) -> int | None:
    """Return how many questions of a split are asked; None is all."""
    limit = draft.experiment.limit
    return limit.train_2 if split == "train_2" else limit.split


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
    shards = draft.experiment.generation.shards
    golds = draft.tree.golds(split)
    demos = [options[options.index("--demos") + 1]] if "--demos" in options else []
    command = ["generate", "--task", draft.task.name, "--questions", golds]
    command += [
        *_model(who),
        *_engine(draft, split),
        *options,
        "--output-dir",
        folder,
        "--restart-if-changed",
    ]
    reads = [golds, *demos, *who.reads]
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


def _of_shard(file: str, shard: int, shards: int) -> str:
    folder, _, name = file.rpartition("/")
    return f"{folder}/shards/{shard}-of-{shards}/{name}"


def _score(draft: Draft, split: str, folders: Sequence[str], label: str, *, any_format: bool = False) -> None:
    """Add the scoring of all folders as one job: starting a job takes longer than scoring a folder."""
    golds = draft.tree.golds(split)
    reads = [golds, *(f"{folder}/output.jsonl" for folder in folders)]
    commands, writes = [], []
    for folder in folders:
        command = ["score", "--task", draft.task.name, "--golds", golds, "--input", f"{folder}/output.jsonl"]
        command += ["--partial"] if limited(draft, split) else []
        names = [ANY_FORMAT, RESULTS] if any_format else [RESULTS]  # the last one writes metrics.json
        for name in names:
            how = ["--answers", "any"] if name == ANY_FORMAT else []
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


def _engine(draft: Draft, split: str) -> list[str]:
    generation, limit = draft.experiment.generation, limited(draft, split)
    named = {"--engine": generation.engine, "--max-tokens": generation.max_tokens, "--limit": limit}
    words = [word for option, value in named.items() if value is not None for word in (option, str(value))]
    words += [] if generation.bos == "auto" else ["--bos", generation.bos]
    for option, value in generation.options.items():
        words += ["--engine-option", f"{option}={_as_yaml(value)}"]
    return words


def _as_yaml(value: object) -> str:
    from w2s_factory.llamafactory.settings import as_yaml  # noqa: PLC0415

    return as_yaml(value)


def _label(who: Answerer, split: str, demos: str | None) -> str:
    return f"{who.role}{'_few_shot' if demos else ''}_{split}"


def evaluate(
    draft: Draft,
    key: str,
    label: str,
    who: Answerer,
    *,
    stage: Stage = "baseline",
    iteration: int | None = None,
    demos: str | None = None,
    trained: bool = True,
) -> None:
    """Add the steps of a model's evaluation, and add the model to those of the report."""
    split = draft.experiment.split
    any_format = key == "strong_zero_shot" and has_any_format(draft.task)
    results = Path(answer(draft, who, split, demos=demos, any_format=any_format))
    draft.models.append(
        Evaluated(
            key=key,
            label=label,
            stage=stage,
            iteration=iteration,
            seed=draft.seed,
            results=results,
            any_format=results.with_name(ANY_FORMAT) if any_format else None,
            samples=_samples(draft, key, who, demos),
            training=Path(who.made[-1]).parent if trained and who.made else None,
        )
    )


def _samples(draft: Draft, key: str, who: Answerer, demos: str | None) -> Path | None:
    pass_at = draft.experiment.evaluation.pass_at
    if pass_at is None or (pass_at.models is not None and key not in pass_at.models):
        return None
    split = draft.experiment.split
    return Path(sample(draft, who, split, pass_at.k, pass_at.temperature, demos=demos)[0])
