"""`w2s-factory build-data`: datasets, their index entries, and a training config each."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from w2s_factory.cli import pairs
from w2s_factory.cli.next_steps import after_dataset, after_questions
from w2s_factory.cli.numbers import number
from w2s_factory.cli.paths import say_on_stderr
from w2s_factory.cli.stages import refuse_unread
from w2s_factory.cli.telling import tell_built, tell_inputs, tell_padding, tell_stage1, warn
from w2s_factory.errors import UserError
from w2s_factory.quantities import (
    MIN_CONFIDENCE,
    NEGATIVE_CONFIDENCE,
    SEED,
    Confidence,
    Iteration,
    PaddedSize,
    PairsPerQuestion,
)
from w2s_factory.ranges import Seed

if TYPE_CHECKING:
    from w2s_factory.building import Inputs, Recipe

_FILE = click.Path(path_type=Path)
DEFAULT_DIR = Path("w2s-data")
CONTENTS = "contents.json"
"""In a run's folder; written here so that nothing of experiments is imported without need."""


@click.command()
@click.option(
    "--stage",
    type=click.Choice(["gold", "test", "full-weak", "1", "2"]),
    required=True,
    help="What to build.",
)
@click.option(
    "--task", "task_name", metavar="NAME", help="gsm8k, math, arithmetic, olympic_arena, or a package's own."
)
@click.option(
    "--input",
    "source",
    type=_FILE,
    metavar="FILE",
    help="Raw rows (gold, test), results or outputs (full-weak).",
)
@click.option("--weak", type=_FILE, metavar="FILE", help="Stages 1, 2: results of the weak side.")
@click.option("--votes", type=_FILE, metavar="FILE", help="Stage 2: the majority file of the samples.")
@click.option("--icl", type=_FILE, metavar="FILE", help="Stage 1: results of the icl side.")
@click.option(
    "--weak-name", metavar="NAME", help="The weak model, in file and dataset names. [default: weak]"
)
@click.option("--iteration", type=number(Iteration), default=1, show_default=True, help="Stage 1: which.")
@click.option(
    "--pad-to", type=number(PaddedSize), metavar="N",
    help="Stage 1: pad to N questions with some on which weak and icl disagree, as the release's MATH sets.",
)  # fmt: skip
@click.option("--split", metavar="NAME", help="test: which split the rows are. [default: by file name]")
@click.option(
    "--output", type=_FILE, metavar="FILE", help="The file to write (all but stage 1); - for stdout."
)
@click.option("--output-dir", type=_FILE, metavar="DIR", help=f"The folder. [default: {DEFAULT_DIR}]")
@click.option(
    "--min-confidence", type=number(Confidence), default=MIN_CONFIDENCE, show_default=True,
    help="Stage 2: to count at all.",
)  # fmt: skip
@click.option(
    "--negative-confidence", type=number(Confidence), default=NEGATIVE_CONFIDENCE,
    show_default=True, help="Stage 2: to call weak wrong; at least --min-confidence.",
)  # fmt: skip
@click.option(
    "--pairs-per-question", type=number(PairsPerQuestion),
    help="Stage 2: at most. [default: the task's, 1 or 3]",
)  # fmt: skip
@click.option(
    "--seed", type=number(Seed), default=SEED, show_default=True,
    help="Stage 2, --pad-to: of the draws.",
)  # fmt: skip
@click.option(
    "--drop-duplicates", is_flag=True, help="Stage 2: leave out repeated pairs, which are published."
)
@click.option("--samples", type=_FILE, metavar="DIR", help="Stage 2: seed0/results.jsonl ..., to name seeds.")
@click.option(
    "--format", "form", type=click.Choice(["release", "columns"]), help="Stage 2: [default: by version]"
)
@click.option("--check", type=_FILE, metavar="FILE", help="Stage 2: only say whose responses a file holds.")
@click.option(
    "--explain", metavar="ID",
    help="Stage 2: only tell a question's story, from --output; with --weak, --votes also why it has none.",
)  # fmt: skip
@click.option("--layout", default="folder", show_default=True, help="folder, or release: its file tree.")
@click.option("--dataset-name", metavar="NAME", help="gold, full-weak: the dataset. [default: by file name]")
@click.option(
    "--preset", metavar="NAME", help="The preset of the configs, or ./FILE.yaml. [default: by stage]"
)
@click.option(
    "--model", metavar="PATH", help="What the configs train: a folder or hub name. [default: the task's]"
)
@click.option("--no-config", is_flag=True, help="Only the dataset and its entry, nothing that trains on it.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A training argument; repeatable."
)
@click.option("--llamafactory-version", "version", metavar="VERSION", help="[default: the installed one]")
@click.option("--force", is_flag=True, help="Overwrite files and entries that hold something else.")
@click.pass_context
def command(ctx: click.Context, /, stage: str, task_name: str | None, **options: Any) -> None:
    """Build LLaMA-Factory datasets: gold, full weak, Stage I, Stage II.

    Writes each dataset with its entry in dataset_info.json and a YAML that trains on it. With no inputs
    named it takes those of the run in the current folder, or else the embedded example, whose responses
    come from simulated solvers.

    --weak, --icl, --votes and the --input of full-weak may also name the folder that generate, score or
    vote wrote to.

    \b
    Examples:
      w2s-factory build-data --stage 1
      w2s-factory build-data --stage gold --task gsm8k \\
          --input raw/gsm8k/train_1.jsonl --output gsm8k_train_1.json
      w2s-factory build-data --stage 1 --task gsm8k --weak weak.jsonl --icl icl.jsonl \\
          --weak-name llama2_7b --iteration 1 --output-dir DIR
    """  # noqa: D301  click reads \b
    refuse_unread(ctx, stage)
    if stage == "2" and pairs.looked(task_name, options):
        return
    named = {"input": options["source"], **{name: options[name] for name in ("weak", "icl", "votes")}}
    inputs = _inputs(stage, task_name, named, options["iteration"])
    if stage == "1":
        _stage1(inputs, options)
    elif stage == "2":
        output = _output(inputs, options, inputs.task.file_stem(_weak_name(inputs, options), "paired"))
        pairs.build(inputs, options, output, _recipe(stage, inputs, options))
    elif stage == "test":
        _test(inputs, options)
    else:
        _one_file(stage, inputs, options)


def _inputs(stage: str, task_name: str | None, named: dict[str, Path | None], iteration: int) -> Inputs:
    """The files named; without any, those of the run in the current folder; or the embedded example."""
    from w2s_factory import building

    if task_name is None and not any(named.values()) and Path(CONTENTS).is_file():
        from w2s_factory.experiment.run_inputs import inputs_of_run

        return inputs_of_run(Path(), stage, iteration)
    return building.inputs_of(stage, task_name, named)


def _stage1(inputs: Inputs, options: dict[str, Any]) -> None:
    from w2s_factory import building

    padding = building.Padding(to=options["pad_to"], seed=options["seed"]) if options["pad_to"] else None
    recipe = _recipe("1", inputs, options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", building.EqualResultsWarning)  # printed below, in one line
        made = building.build_stage1(
            inputs.task,
            inputs.files["weak"],
            inputs.files["icl"],
            options["output_dir"] or DEFAULT_DIR,
            weak_name=_weak_name(inputs, options),
            iteration=options["iteration"],
            padding=padding,
            recipe=recipe,
        )
    tell_inputs(inputs)
    if made.identical:
        warn("--weak and --icl hold the same bytes, so they agree on everything")
    tell_stage1(made.agreement)
    if padding:
        tell_padding(padding, made.agreement)
    tell_built([*made.built.values(), *made.unpadded.values()])
    after_dataset(made.built["hybrid"])


def _one_file(stage: str, inputs: Inputs, options: dict[str, Any]) -> None:
    from w2s_factory import building

    gold = stage == "gold"
    build = building.build_gold if gold else building.build_full_weak
    source = inputs.files["input"]
    gold_stem = f"{inputs.task.name}_{source.stem}"
    stem = gold_stem if gold else inputs.task.file_stem(_weak_name(inputs, options), "full_weak")
    recipe = _recipe(stage, inputs, options)
    built = build(inputs.task, source, _output(inputs, options, stem), recipe=recipe)
    printed = say_on_stderr(built.file)
    tell_inputs(inputs)
    if printed:
        return
    tell_built([built])
    after_dataset(built)


def _test(inputs: Inputs, options: dict[str, Any]) -> None:
    from w2s_factory import building

    source = inputs.files["input"]
    output = _output(inputs, options, f"{inputs.task.name}_{source.stem}", ".jsonl")
    count = building.build_test(inputs.task, source, output, split=options["split"], force=options["force"])
    printed = say_on_stderr(output)
    tell_inputs(inputs)
    if not printed:
        click.echo(f"wrote {output} ({count:,} questions with golds)")
        after_questions(inputs.task, output)


def _weak_name(inputs: Inputs, options: dict[str, Any]) -> str:
    return options["weak_name"] or inputs.weak_name or "weak"


def _output(inputs: Inputs, options: dict[str, Any], stem: str, suffix: str = ".json") -> Path:
    """The file named, or the one of that name in the folder (in the release's tree, its place there)."""
    named: Path | None = options["output"]
    if named:
        return named
    folder: Path = options["output_dir"] or DEFAULT_DIR
    inside = f"data/llama_factory/{inputs.task.folder}" if options["layout"] == "release" else ""
    return folder / inside / f"{stem}{suffix}"


def _recipe(stage: str, inputs: Inputs, options: dict[str, Any]) -> Recipe:
    from w2s_factory import building
    from w2s_factory.llamafactory.settings import parsed_settings

    return building.Recipe(
        layout=options["layout"],
        preset=options["preset"] or inputs.preset or _default_preset(stage, inputs),
        model=_model(stage, inputs, options),
        settings=parsed_settings(options["settings"]),
        version=options["version"],
        dataset=options["dataset_name"],
        force=options["force"],
    )


def _model(stage: str, inputs: Inputs, options: dict[str, Any]) -> str | None:
    """What the configs train; None for no config."""
    if not options["no_config"]:
        return options["model"] or inputs.model or _default_model(stage, inputs)
    if options["model"]:
        raise UserError("there is no config for it", field="--no-config", hint="Leave out --model")
    return None


def _default_model(stage: str, inputs: Inputs) -> str | None:
    """What a config trains by default: known for the strong model's SFT; a weak model or M_plus is not."""
    return inputs.task.strong_model if stage in ("full-weak", "1") else None


def _default_preset(stage: str, inputs: Inputs) -> str:
    return {"gold": "weak_full_sft", "2": "dpo"}.get(stage, inputs.task.strong_preset)
