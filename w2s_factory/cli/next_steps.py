"""The lines that begin with "Next:": a command that works as printed, or a sentence on what is missing."""

from __future__ import annotations

import shlex
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from w2s_factory.errors import UserError
from w2s_factory.folders import DATA_DIR, OUTPUT, RESULTS, VOTES, seeds_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from w2s_factory.building import Built
    from w2s_factory.generating import Generation
    from w2s_factory.records import Id
    from w2s_factory.tasks import Task

_LARGE = 200_000_000
"""Bytes of files from which on it is not tried whether a dataset can be built from them."""

_WEAK, _ICL = "weak", "icl"
_HELD_OUT = ("test", "dev", "val")
_STAGE_1 = (
    "for Stage I, score the responses of both the weak model and weak ICL, then run w2s-factory build-data "
    "--stage 1 with the two results as --weak and --icl"
)
_STAGE_2 = (
    "for Stage II, run w2s-factory build-data --stage 2 with these votes as --votes and the weak model's "
    "results on the same questions as --weak"
)


def print_next_command(*words: object) -> None:
    """Print the command that comes next. It must work as it is printed.

    Args:
        words: The command without its first word, `w2s-factory`; paths are quoted and shortened.
    """
    click.echo(f"Next: {shlex.join(['w2s-factory', *map(_shown, words)])}")


def print_next_sentence(sentence: str) -> None:
    """Print what comes next as a sentence, where the whole command cannot be known."""
    click.echo(f"Next: {sentence}")


def shown(path: object) -> object:
    """Return a path as a user types it: relative to the working folder if it is below that."""
    here = Path.cwd()
    return path.relative_to(here) if isinstance(path, Path) and path.is_relative_to(here) else path


def after_dataset(built: Built) -> None:
    """Print how to train on a dataset."""
    if built.config is not None:
        print_next_command("train", built.config, *_on_cpu(built.config))
        return
    if built.index is None:  # rows in memory or on the standard output
        return
    print_next_sentence(
        f"to train on it, run w2s-factory make-config --dataset {built.dataset} "
        f"--dataset-dir {shlex.quote(_shown(built.index.parent))} and add --preset, --model, --output-dir "
        "and --output"
    )


def _on_cpu(config: Path) -> list[str]:
    """Return the arguments without which a config cannot be trained here, where there is no GPU."""
    from w2s_factory.llamafactory.preflight import cpu_arguments, seems_without_gpu
    from w2s_factory.llamafactory.training_config import read_config

    return cpu_arguments(read_config(config).values) if seems_without_gpu() else []


def after_config(preset: str, version: str | None, config: Path) -> None:
    """Print how to run a training config: with w2s-factory, or with LLaMA-Factory alone."""
    from w2s_factory.llamafactory.configs import launch_commands

    ours, plain = launch_commands(preset, version, config)
    click.echo(f"Next: {ours}")
    click.echo(f"  or: {plain}")


def after_questions(task: Task, questions: Path, split: str | None = None) -> None:
    """Print how to have a model answer questions, by the name of their split where they are found by it."""
    named = split is not None and questions == _golds(task, split)
    asked = ["--split", str(split)] if named else ["--questions", _shown(questions)]
    asking = shlex.join(["generate", "--task", task.argument, *asked])
    print_next_sentence(
        f"to have a model answer them, run w2s-factory {asking} and add --model and --output-dir"
    )


def after_demonstrations(task: Task, demonstrations: Path) -> None:
    """Print how to show demonstrations to the strong model."""
    asking = shlex.join(["generate", "--task", task.argument, "--demos", _shown(demonstrations)])
    print_next_sentence(
        f"to show them to the strong model, run w2s-factory {asking} and add --model, --output-dir, "
        "and --split or --questions"
    )


def after_generation(generation: Generation, files: Sequence[Path], split: str | None = None) -> None:
    """Print how to score responses, or how to merge the shards that they are a part of.

    Args:
        generation: The generation.
        files: The files of responses.
        split: The split that was asked; None if its questions were named otherwise.
    """
    golds = None if split is None else _golds(generation.task, split)
    if generation.shard is None and isinstance(generation.questions, Path):
        _score(generation.task.argument, generation.questions, files, partial=bool(generation.limit))
    elif generation.shard is None and golds is not None and set(_ids(golds)) >= set(_ids(files[0])):
        _score(generation.task.argument, golds, files, partial=bool(generation.limit))
    elif generation.shard is None and generation.task.file is not None:
        which = ["--split", split] if split else []
        making = shlex.join(["build-data", "--stage", "test", "--task", generation.task.argument, *which])
        print_next_sentence(
            f"to score them, write the gold answers with w2s-factory {making}, and name the file "
            "as --golds of w2s-factory score"
        )
    if generation.shard is None:
        return
    shard, merging = generation.shard, shlex.join(["merge-shards", _shown(generation.output_dir)])
    names = [f"{index}-of-{shard.of}" for index in range(1, shard.of + 1)]
    parts = [file.parent.with_name(name) for file in files for name in names]
    missing = dict.fromkeys(part.name.replace("-of-", "/") for part in parts if not (part / OUTPUT).is_file())
    if missing:
        print_next_sentence(
            f"generate the other shards ({', '.join(missing)}), then run w2s-factory {merging}"
        )
    else:
        print_next_command("merge-shards", generation.output_dir)


def after_merging(files: Sequence[Path]) -> None:
    """Print how to score merged shards, if the questions they answer are still known."""
    together: dict[Path, list[Path]] = {}
    for file in files:
        sampled = file.parent in seeds_in(file.parent.parent)
        together.setdefault(file.parent.parent if sampled else file, []).append(file)
    for outputs in together.values():
        asked = _asked(outputs[0])
        if asked is None:
            print_next_sentence(
                "run w2s-factory score and name the questions with --golds: they are not known here"
            )
        else:
            _score(*asked, outputs, partial=False)


def after_scoring(task: Task, golds: Path, results: Sequence[Path], *, known: bool) -> None:
    """Print how to evaluate results, vote over samples, and build datasets from them.

    Args:
        task: The task they were scored as.
        golds: The questions, with or without gold answers.
        results: The results files; several are the seeds in one folder.
        known: Whether any gold answer is known, without which nothing can be evaluated.
    """
    folder = results[0].parent
    seeds = seeds_in(folder.parent) if folder in seeds_in(folder.parent) else []
    unscored = [seed for seed in seeds if not (seed / RESULTS).is_file()]
    held_out = _held_out(task, golds)
    if unscored:
        _score(task.argument, golds, [seed / OUTPUT for seed in seeds], partial=False)
    elif seeds:
        if known:
            print_next_command("evaluate", "--task", task.argument, "--pass-at", len(seeds), folder.parent)
        if not held_out:
            print_next_command(
                "vote", "--task", task.argument, "--input", folder.parent, "--output", folder.parent / VOTES
            )
    else:
        if known:
            print_next_command("evaluate", results[0])
        if not held_out:
            _build_from(task, golds, results[0])


def after_vote(task: str | None, folder: Path, votes: Path, samples: int, *, known: bool) -> None:
    """Print how to evaluate pass@k, and how to build Stage II if the weak model's results are found."""
    named = ["--task", task] if task else []
    if known:
        print_next_command("evaluate", *named, "--pass-at", samples, folder)
    weak = _nearby_weak(folder, votes)
    refused = None if task is None or weak is None else _stage2_refusal(task, weak, votes)
    if task is None or weak is None:
        print_next_sentence(_STAGE_2)
    elif refused is not None:
        print_next_sentence(f"Stage II cannot be built from these votes and {_shown(weak)}: {refused}")
    else:
        print_next_command(
            "build-data", "--stage", 2, "--task", task, "--weak", weak, "--votes", votes, "--samples", folder
        )


def after_model(folder: Path) -> None:
    """Print how to have a trained or merged model answer questions."""
    print_next_sentence(
        f"to have it answer questions, run w2s-factory generate with --model {shlex.quote(_shown(folder))}"
    )


def after_adapter(base: str, folder: Path) -> None:
    """Print how to merge a trained adapter into its model."""
    merged, config = f"{folder}.merged", Path(f"{folder}.merged.yaml")
    make = ["make-config", "--preset", "export", "--model", base, "--adapter", folder]
    print_next_command(*make, "--output-dir", Path(merged), "--output", config)


def _shown(word: object) -> str:
    """Return a word of a command as it is typed: a path that begins with `-` gets `./` in front of it."""
    text = str(shown(word))
    return f"./{text}" if isinstance(word, Path) and text.startswith("-") else text


def _score(task: str, questions: Path, files: Sequence[Path], *, partial: bool) -> None:
    """Print the command that scores responses: one file of them, or the seeds in one folder."""
    from w2s_factory.scoring.golds import index_golds
    from w2s_factory.tasks import get_task

    try:
        golds = index_golds(questions, get_task(task).answer_key)
    except UserError as error:
        print_next_sentence(
            f"run w2s-factory score with other --golds: these questions cannot be used ({error})"
        )
        return
    sampled = len(files) > 1
    output = [] if sampled else ["--output", files[0].with_name(RESULTS)]
    part = ["--partial"] if partial or len(golds) > len(_ids(files[0])) else []
    source = files[0].parent.parent if sampled else files[0]
    print_next_command("score", "--task", task, "--golds", questions, "--input", source, *output, *part)


def _build_from(task: Task, golds: Path, results: Path) -> None:
    """Print which datasets can be built from results: full weak, and Stage I if both results are there."""
    if results.parent.name != _ICL and _zero_shot(task, golds, results):
        print_next_command("build-data", "--stage", "full-weak", "--task", task.argument, "--input", results)
    root = results.parent.parent
    weak, icl = root / _WEAK / RESULTS, root / _ICL / RESULTS
    if results not in (weak, icl) or not _ids(weak) or set(_ids(weak)) != set(_ids(icl)):
        print_next_sentence(_STAGE_1)
        return
    refused = _stage1_refusal(task, weak, icl)
    if refused is None:
        inputs = ["--task", task.argument, "--weak", weak, "--icl", icl]
        print_next_command("build-data", "--stage", 1, *inputs, *_as_before(weak, icl))
    else:
        print_next_sentence(f"Stage I cannot be built from {_shown(weak)} and {_shown(icl)}: {refused}")


_KEPT = ("--weak-name", "--output-dir", "--model")
"""Options of `build-data` that name the same in all stages."""


def _as_before(weak: Path, icl: Path) -> list[str]:
    """Return the names that full weak data of these results was built with, or else the model asked as icl.

    Without them Stage I would be written under other names, to another folder, or for another model.
    """
    manifests = (
        file for depth in ("", "*/", "*/*/") for file in sorted(Path().glob(f"{depth}manifest.jsonl"))
    )
    for line in (line for manifest in manifests for line in reversed(_rows(manifest))):
        command, inputs = line.get("command"), line.get("inputs")
        if not (isinstance(command, list) and isinstance(inputs, list) and "full-weak" in command):
            continue
        files = [Path(str(each.get("file"))).absolute() for each in inputs if isinstance(each, dict)]
        if weak.absolute() in files:
            kept = _options(command)
            return [word for name, value in kept.items() for word in (name, value)] or _asked_model(icl)
    return _asked_model(icl)


def _options(command: Sequence[object]) -> dict[str, str]:
    """Return the values of the options to keep, as in `--name value` and `--name=value`."""
    words = [part for word in command for part in _split_option(str(word))]
    return {name: value for name, value in pairwise(words) if name in _KEPT}


def _split_option(word: str) -> list[str]:
    name, equals, value = word.partition("=")
    return [name, value] if equals and name in _KEPT else [word]


def _asked_model(results: Path) -> list[str]:
    """Return the option with the base model that gave results, if their manifest names its folder."""
    lines = [line for line in _rows(results.with_name("manifest.jsonl")) if line.get("file") == OUTPUT]
    model = None if not lines or lines[-1].get("adapter") else lines[-1].get("model")
    return ["--model", model] if isinstance(model, str) and (Path(model) / "config.json").is_file() else []


def _stage1_refusal(task: Task, weak: Path, icl: Path) -> UserError | None:
    """Return why no Stage I can be built; None if one can, or if finding out would take long."""
    from w2s_factory.building import build_stage1

    slow = task.slow_comparison or _are_large(weak, icl)
    return None if slow else _refusal(lambda: build_stage1(task, weak, icl))


def _stage2_refusal(task: str, weak: Path, votes: Path) -> UserError | None:
    """Return why no Stage II can be built; None if one can, or if finding out would take long."""
    from w2s_factory.building import build_stage2
    from w2s_factory.tasks import get_task

    slow = get_task(task).slow_comparison or _are_large(weak, votes)
    return None if slow else _refusal(lambda: build_stage2(task, weak, votes))


def _are_large(*files: Path) -> bool:
    """Return whether building from files would take minutes, and memory in which to keep what is built."""
    return sum(file.stat().st_size for file in files) > _LARGE


def _refusal(build: Callable[[], object]) -> UserError | None:
    try:
        build()
    except UserError as error:
        return error
    return None


def _golds(task: Task, split: str) -> Path:
    """Return the file into which `build-data --stage test` writes a split unless another one is named."""
    return Path(DATA_DIR) / f"{task.name}_{split}.jsonl"


def _held_out(task: Task, golds: Path) -> bool:
    """Return whether questions are those of a split to test on, from which no training data is built."""
    tags = {split.tag for name, split in task.splits.items() if name in _HELD_OUT}
    return bool(tags) and any(str(row.get("source")) in tags for row in islice(_streamed(golds), 1))


def _zero_shot(task: Task, golds: Path, results: Path) -> bool:
    """Return whether the first prompt is one question alone, as the weak model is asked."""
    questions = (row["question"] for row in _streamed(golds) if isinstance(row.get("question"), str))
    first = [row.get("prompt") for row in islice(_streamed(results), 1)]
    return any(task.prompt(question) in first for question in questions)


def _nearby_weak(folder: Path, votes: Path) -> Path | None:
    """Return a `weak/results.jsonl` on the same questions: in the working folder, or near the samples."""
    asked = set(_ids(votes))
    for root in dict.fromkeys([Path.cwd(), *list(folder.absolute().parents)[:2]]):
        weak = root / _WEAK / RESULTS
        if asked and set(_ids(weak)) == asked:
            return weak
    return None


def _asked(output: Path) -> tuple[str, Path] | None:
    """Return the task and the questions of merged shards, from the manifest of the first shard.

    Returns None if the manifest does not name them, or the questions have changed since.
    """
    from w2s_factory.records import content_hash

    shard = next(iter(sorted((output.parent / "shards").glob("1-of-*/manifest.jsonl"))), None)
    lines = [line for line in _rows(shard) if line.get("file") == OUTPUT] if shard else []
    try:
        settings = lines[-1]["settings"]
        questions, task = lines[-1]["inputs"][0], settings["task"]
        if "task_file" in settings:  # the settings have the name of such a task, not the path of its file
            return None
        same = content_hash(questions["file"]) == questions["sha256"]
    except (LookupError, TypeError, UserError):
        return None
    return (str(task), Path(questions["file"])) if same else None


def _ids(file: Path) -> Collection[Id]:
    """Return the ids in a file; none if it cannot be read to its end."""
    from w2s_factory.records import ANY, read

    try:
        return [row["id"] for row in read(file, ANY) if isinstance(row.get("id"), int | str)]
    except UserError:
        return []


def _rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a small file, or no rows if it cannot be read."""
    from w2s_factory.records import ANY, read

    try:
        return list(read(file, ANY))
    except UserError:
        return []


def _streamed(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, which may be large, up to one that cannot be read."""
    from w2s_factory.records import ANY, read

    with suppress(UserError):
        yield from read(file, ANY)
