"""`w2s-factory build-data`: datasets, their index entries, and a training config each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from w2s_factory.cli.telling import tell_built, tell_inputs, tell_next, tell_stage1
from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from w2s_factory.building import Inputs, Recipe

_FILE = click.Path(path_type=Path)
DEFAULT_DIR = Path("w2s-data")
PRESETS = {"gold": "weak_full_sft", "full-weak": "strong_lora_sft", "1": "strong_lora_sft"}


@click.command()
@click.option(
    "--stage", type=click.Choice(["gold", "test", "full-weak", "1"]), required=True, help="What to build."
)
@click.option("--task", "task_name", metavar="NAME", help="gsm8k, math, arithmetic, or a package's own.")
@click.option("--input", "source", type=_FILE, metavar="FILE", help="Raw rows (gold, test) or results.")
@click.option("--weak", type=_FILE, metavar="FILE", help="Stage 1: results of the weak side.")
@click.option("--icl", type=_FILE, metavar="FILE", help="Stage 1: results of the icl side.")
@click.option(
    "--weak-name", metavar="NAME", help="The weak model, in file and dataset names. [default: weak]"
)
@click.option("--iteration", type=click.IntRange(1), default=1, show_default=True, help="Stage 1: which.")
@click.option("--split", metavar="NAME", help="test: which split the rows are. [default: by file name]")
@click.option("--output", type=_FILE, metavar="FILE", help="The file to write (all but stage 1).")
@click.option("--output-dir", type=_FILE, metavar="DIR", help=f"The folder. [default: {DEFAULT_DIR}]")
@click.option("--layout", default="folder", show_default=True, help="folder, or release: its file tree.")
@click.option("--dataset-name", metavar="NAME", help="gold, full-weak: the dataset. [default: by file name]")
@click.option("--preset", metavar="NAME", help="The preset of the configs. [default: by stage]")
@click.option(
    "--model", metavar="PATH", help="What the configs train: a folder or hub name. [default: the task's]"
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A training argument; repeatable."
)
@click.option("--llamafactory-version", "version", metavar="VERSION", help="[default: the installed one]")
@click.option("--force", is_flag=True, help="Overwrite files and entries that hold something else.")
def command(stage: str, task_name: str | None, **options: Any) -> None:
    r"""Build LLaMA-Factory datasets: gold, full weak, Stage I.

    Writes each dataset with its entry in dataset_info.json and a YAML that trains on it. With no inputs
    named it takes the embedded example, whose responses come from simulated solvers.

    \b
    Examples:
      w2s-factory build-data --stage 1
      w2s-factory build-data --stage gold --task gsm8k \\
          --input raw/gsm8k/train_1.jsonl --output gsm8k_train_1.json
      w2s-factory build-data --stage 1 --task gsm8k --weak weak.jsonl --icl icl.jsonl \\
          --weak-name llama2_7b --iteration 1 --output-dir DIR
    """
    from w2s_factory import building

    named = {"input": options["source"], "weak": options["weak"], "icl": options["icl"]}
    inputs = building.inputs_of(stage, task_name, named)
    tell_inputs(inputs)
    if stage == "1":
        _stage1(inputs, options)
    elif stage == "test":
        _test(inputs, options)
    else:
        _one_file(stage, inputs, options)


def _stage1(inputs: Inputs, options: dict[str, Any]) -> None:
    from w2s_factory import building

    if options["output"]:
        raise UserError(
            "stage 1 writes three files", field="--output", hint="Name their folder: --output-dir"
        )
    made = building.build_stage1(
        inputs.task,
        inputs.files["weak"],
        inputs.files["icl"],
        options["output_dir"] or DEFAULT_DIR,
        weak_name=options["weak_name"] or inputs.weak_name or "weak",
        iteration=options["iteration"],
        recipe=_recipe("1", inputs, options),
    )
    tell_stage1(made.agreement)
    tell_built(made.built.values())
    tell_next(made.built["hybrid"])


def _one_file(stage: str, inputs: Inputs, options: dict[str, Any]) -> None:
    from w2s_factory import building

    gold = stage == "gold"
    build = building.build_gold if gold else building.build_full_weak
    weak_name = options["weak_name"] or inputs.weak_name or "weak"
    source = inputs.files["input"]
    stem = f"{inputs.task.name}_{source.stem}" if gold else inputs.task.file_stem(weak_name, "full_weak")
    output = options["output"] or (options["output_dir"] or DEFAULT_DIR) / f"{stem}.json"
    recipe = _recipe(stage, inputs, options)
    built = build(inputs.task, source, output, recipe=recipe)
    tell_built([built])
    tell_next(built)


def _test(inputs: Inputs, options: dict[str, Any]) -> None:
    from w2s_factory import building

    source = inputs.files["input"]
    output = options["output"] or (options["output_dir"] or DEFAULT_DIR) / f"{inputs.task.name}_{source.name}"
    count = building.build_test(inputs.task, source, output, split=options["split"], force=options["force"])
    click.echo(f"wrote {output} ({count:,} questions with golds)")


def _recipe(stage: str, inputs: Inputs, options: dict[str, Any]) -> Recipe:
    from w2s_factory import building
    from w2s_factory.llamafactory.settings import parsed_settings

    return building.Recipe(
        layout=options["layout"],
        preset=options["preset"] or inputs.preset or PRESETS[stage],
        model=options["model"] or inputs.model or (None if stage == "gold" else inputs.task.strong_model),
        settings=parsed_settings(options["settings"]),
        version=options["version"],
        dataset=options["dataset_name"],
        force=options["force"],
    )
