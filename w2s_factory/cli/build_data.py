"""`w2s-factory build-data`: datasets, index and configs; without inputs, from this run or the example."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from w2s_factory.answers.thinking import RESPONSE_PARTS
from w2s_factory.cli import build_data_stage2
from w2s_factory.cli.build_data_options import READ, STAGES, refuse_unread
from w2s_factory.cli.help import HeadedCommand, heading, option
from w2s_factory.cli.next_steps import after_dataset, after_questions, shown
from w2s_factory.cli.options import (
    PATH,
    TASKS,
    extract_option,
    mode_option,
    number,
    number_options,
    reasoning_options,
)
from w2s_factory.cli.output import (
    messages_to_stderr,
    print_agreement,
    print_datasets,
    print_inputs,
    print_padding,
    print_self_training,
    print_warning,
)
from w2s_factory.errors import UserError
from w2s_factory.folders import DATA_DIR
from w2s_factory.llamafactory.versions import RELEASES
from w2s_factory.quantities import (
    FIRST_ITERATION,
    PAIR_CONTROLS,
    PAIR_KINDS,
    SEED,
    Iteration,
    PaddedSize,
    PairsPerQuestion,
    PairThresholds,
)
from w2s_factory.ranges import Seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from w2s_factory.building import Built, Inputs, Recipe
    from w2s_factory.cli.build_data_options import (
        DatasetOptions,
        FullWeakOptions,
        GoldOptions,
        OneDatasetOptions,
        SelfTrainingOptions,
        Stage1Options,
        Stage2Options,
        StageOptions,
        TestOptions,
    )
    from w2s_factory.records import RowSource

DEFAULT_DIR: Final = Path(DATA_DIR)
CONTENTS: Final = "contents.json"
"""The file that marks a run's folder; named here because importing the experiment room is slow."""

_all_stages = heading("All stages")
_raw = heading("Stages gold, test and full-weak")
_responses = heading("Stages full-weak, 1, 2 and self")
_weak = heading("Stages 1 and 2")
_agreement = heading("Stage 1")
_draws = heading("Stages 1, 2 and self")
_votes = heading("Stages 2 and self")
_pairs = heading("Stage 2")
_inspection = heading("Stage 2, to inspect a pair file instead of building one")
_chat = heading("Chats (all stages but test)")
_files = heading("File names and folders")
_config = heading("Training config (all stages but test)")


def _threshold(flag: str, **attributes: Any) -> Callable[[Any], Any]:
    """Return the decorator of a threshold's option, under the heading of the stages that read it."""
    add = _pairs if flag == "--negative-confidence" else _votes
    return add(flag, **attributes)


@click.command(cls=HeadedCommand)
@_all_stages("--stage", type=click.Choice(tuple(STAGES)), required=True, help="What to build: see above.")
@_all_stages(
    "--task", "task_name", metavar="NAME",
    help=f"The task the input files belong to: {TASKS}. Required with input files.",
)  # fmt: skip
@_all_stages(
    "--output-dir", type=PATH, metavar="DIR", show_default=str(DEFAULT_DIR),
    help="The folder to write to. With --layout release: the root of a copy of the published release.",
)  # fmt: skip
@_raw(
    "--input", "source", type=PATH, metavar="FILE",
    help="gold, test: the task's raw rows. full-weak: the weak model's responses (output.jsonl or "
    "results.jsonl), or their folder.",
)  # fmt: skip
@_raw(
    "--split", metavar="NAME", show_default="found from the name of the input file",
    help="gold, test: the split to which the rows belong, such as train_2. Instead of --input, for a task "
    "from a file: the split whose rows the task reads itself.",
)  # fmt: skip
@_responses(
    "--train-on", type=click.Choice(RESPONSE_PARTS), default="whole", show_default=True,
    help="The part of a response to train on. whole: with the thinking, whose start is put back where the "
    "prompt ended with it. answer: what follows the thinking of a model that thinks; its training config has "
    "enable_thinking: false.",
)  # fmt: skip
@reasoning_options(_responses, as_scored=True)
@_weak(
    "--weak", type=PATH, metavar="FILE",
    help="The weak model's results (results.jsonl), or their folder; for stage 2 also its full weak data. In "
    "iteration 2 of stage 1: results of the model trained on the weak set of iteration 1.",
)  # fmt: skip
@extract_option(
    _weak, "as they were scored",
    "Finds the answers in the responses again; without it, files scored in different ways are refused.",
)  # fmt: skip
@mode_option(
    _weak, show_default="published with --extract, else as they were scored",
    help="How to compare the answers, as in score. Finds them in the responses again.",
)  # fmt: skip
@_agreement(
    "--icl", type=PATH, metavar="FILE",
    help="Results of weak ICL on the same questions, or their folder. In iteration 2: results of the model "
    "trained on the icl set of iteration 1.",
)  # fmt: skip
@_agreement(
    "--iteration", type=number(Iteration), default=FIRST_ITERATION, show_default=True,
    help="The iteration of Stage I, which goes into the names of the datasets.",
)  # fmt: skip
@_agreement(
    "--pad-to", type=number(PaddedSize), metavar="N",
    help="Pad each set to N questions with randomly drawn ones on which the results disagree, as the "
    "release's MATH sets are padded.",
)  # fmt: skip
@_votes(
    "--votes", type=PATH, metavar="FILE",
    help="The majority file that vote wrote, or its folder.",
)  # fmt: skip
@number_options(PairThresholds, _threshold)
@_draws(
    "--seed", type=number(Seed), default=SEED, show_default=True,
    help="The seed of the random draws: of pairs in stage 2, of responses in stage self, of added questions "
    "in stage 1 with --pad-to.",
)  # fmt: skip
@_pairs(
    "--pairs", type=click.Choice(PAIR_KINDS), default=PAIR_KINDS[0], show_default=True,
    help="Where both sides come from. weak: as published, the weak model's response on one side, a sample on "
    "the other. consistency: a sample with the most frequent answer is chosen, one with the least frequent "
    "answer rejected, without the weak model (ScPO, arXiv 2411.04109).",
)  # fmt: skip
@_pairs(
    "--control", type=click.Choice(PAIR_CONTROLS), hidden=True,  # of experiments, see docs/experiments.md
    help="Pairs of a control. gold: right against wrong samples by gold answers. random: sides by a coin.",
)  # fmt: skip
@_pairs(
    "--pairs-per-question", type=number(PairsPerQuestion), show_default="the task's, 1 or 3",
    help="The most pairs to build from one question.",
)  # fmt: skip
@_pairs(
    "--drop-duplicates", is_flag=True,
    help="Leave out pairs that repeat another pair of the question. The published files have such pairs.",
)  # fmt: skip
@_pairs(
    "--samples", type=PATH, metavar="DIR",
    help="The folder of the samples that were voted on (seed0/results.jsonl, ...), to record which seed each "
    "response came from.",
)  # fmt: skip
@_pairs(
    "--format", "form", type=click.Choice(["release", "columns"]),
    show_default="what the LLaMA-Factory version reads",
    help="How a pair is written. columns: fields chosen and rejected (LLaMA-Factory 0.8.0 and later). "
    "release: one list, as published (up to 0.7.1).",
)  # fmt: skip
@_inspection(
    "--check", type=PATH, metavar="FILE",
    help="Report how many pairs of FILE contain a response of the --weak model, as chosen or as rejected. "
    "Exit code 1 if any pair contains none.",
)  # fmt: skip
@_inspection(
    "--explain", metavar="ID",
    help="Show the votes behind the pairs of question ID in the pair file --output; with --task, --votes and "
    "(for pairs with the weak model's responses) --weak, also why a question has no pair.",
)  # fmt: skip
@_chat(
    "--chat", type=click.Choice(["on", "off"]),
    show_default="off for gold; full-weak: as the weak model was asked; else: as the strong model was",
    help="Whether the model to train is asked in a chat. on: rows have the user's turn alone. off: they have "
    "the prompt of a base model.",
)  # fmt: skip
@_chat(
    "--system", metavar="TEXT", show_default="that of the rows; with --chat on: the task's, or none",
    help='The system prompt with which the model to train is asked; "" for none. Needs --chat on.',
)  # fmt: skip
@_files(
    "--output", type=PATH, metavar="FILE", show_default="named after task, input and stage, in --output-dir",
    help="All stages but 1: the dataset file to write; - for stdout, without dataset_info.json and config.",
)  # fmt: skip
@_files(
    "--weak-name", metavar="NAME", show_default="weak",
    help="full-weak, 1, 2 and self: the weak model's name in the names of files and datasets.",
)  # fmt: skip
@_files(
    "--dataset-name", metavar="NAME", show_default="derived from the file name",
    help="gold, full-weak, 2 and self: the dataset's name in dataset_info.json.",
)  # fmt: skip
@_files(
    "--layout", default="folder", show_default=True, metavar="[folder|release]",
    help="All stages but test: where files go. folder: all into one folder. release: into the folders that "
    "the published release has.",
)  # fmt: skip
@_config(
    "--model", metavar="PATH",
    show_default="the task's strong model for full-weak and 1; none, and no config, for gold, 2 and self",
    help="The model to train: a folder or a name on the Hugging Face Hub.",
)  # fmt: skip
@_config(
    "--preset", metavar="NAME", show_default="weak_full_sft for gold, dpo for 2, else the task's",
    help="The training preset (make-config --list), or a YAML file of your own: ./FILE.yaml.",
)  # fmt: skip
@_config(
    "--set", "settings", multiple=True, metavar="KEY=VALUE",
    help="A training argument that differs from the preset, such as num_train_epochs=3; repeatable.",
)  # fmt: skip
@_config(
    "--llamafactory-version", "version", metavar="VERSION", show_default="the installed one",
    help=f"The LLaMA-Factory version to write for, {RELEASES[0]} to {RELEASES[-1]}.",
)  # fmt: skip
@_config("--no-config", is_flag=True, help="Write no training config.")
@option(
    "--force",
    is_flag=True,
    help="Overwrite files, and entries in dataset_info.json, that have other content.",
)
@click.pass_context
def command(ctx: click.Context, /, stage: str, **_: object) -> None:
    """Build LLaMA-Factory datasets, such as Stage I and Stage II.

    Each dataset is written with its entry in dataset_info.json and, if the model to train is known, with a
    YAML that trains on it. The stages are:

    \b
      gold       questions with gold solutions, to fine-tune a model on
      test       questions with gold answers, to generate responses to and score them
      full-weak  all responses of the weak model, right or wrong
      1          Stage I: responses to the questions on which the weak model and
                 weak ICL give the same answer (weak, icl and hybrid sets)
      2          Stage II: preference pairs, from the weak model's responses and
                 a majority vote over samples, or from the samples alone
      self       self-training: for each question a sample with the majority
                 answer

    Weak ICL is the strong model prompted with responses of the weak model. With no input files named, those
    of the run in the current folder are used, or else the embedded example, whose responses come from
    simulated solvers (stages 2 and self have no embedded example).

    \b
    Examples:
      w2s-factory build-data --stage 1
      w2s-factory build-data --stage gold --task gsm8k \\
          --input raw/gsm8k/train_1.jsonl --output gsm8k_train_1.json
      w2s-factory build-data --stage 1 --task gsm8k --weak weak.jsonl --icl icl.jsonl \\
          --weak-name llama2_7b --iteration 1 --output-dir DIR
    """  # noqa: D301  click reads \b
    refuse_unread(ctx, stage)
    _BUILDERS[stage](STAGES[stage](**{name: ctx.params[name] for name in READ[stage]}))


def _build_gold(options: GoldOptions) -> None:
    """Build gold data to fine-tune a model on."""
    from w2s_factory import building

    inputs = _inputs("gold", options, {"input": options.source}, split=options.split)
    source = inputs.files["input"]
    if options.split and isinstance(source, Path):
        problem = "is read by stage gold only for a task from a file, in place of --input"
        raise UserError(problem, field="--split", hint="Leave it out")
    output = _output(options, inputs, f"{inputs.task.name}_{_stem(source, options.split)}")
    recipe = _recipe(options, inputs, preset="weak_full_sft", dataset=options.dataset_name)
    built = building.build_gold(inputs.task, source, output, prompt_form=options.prompt_form, recipe=recipe)
    _print_dataset(inputs, built)


def _build_test(options: TestOptions) -> None:
    """Write the questions of a split with their gold answers."""
    from w2s_factory import building

    inputs = _inputs("test", options, {"input": options.source}, split=options.split)
    source = inputs.files["input"]
    folder = options.output_dir or DEFAULT_DIR
    output = options.output or folder / f"{inputs.task.name}_{_stem(source, options.split)}.jsonl"
    count = building.build_test(inputs.task, source, output, split=options.split, force=options.force)
    rows_printed = messages_to_stderr(output)
    print_inputs(inputs)
    if not rows_printed:
        click.echo(f"Wrote {shown(output)} ({count:,} questions with gold answers)")
        after_questions(inputs.task, output, options.split)


def _build_full_weak(options: FullWeakOptions) -> None:
    """Build the dataset of all responses of the weak model."""
    from w2s_factory import building

    inputs = _inputs("full-weak", options, {"input": options.source})
    stem = inputs.task.file_stem(options.weak_name or inputs.weak_name, "full_weak")
    output, recipe = _output(options, inputs, stem), _strong_recipe(options, inputs, options.dataset_name)
    built = building.build_full_weak(
        inputs.task,
        inputs.files["input"],
        output,
        prompt_form=options.prompt_form,
        response_rule=options.response_rule,
        recipe=recipe,
    )
    _print_dataset(inputs, built)


def _build_stage1(options: Stage1Options) -> None:
    """Build the hybrid, weak and icl sets of an iteration of Stage I."""
    from w2s_factory import building

    inputs = _inputs("1", options, {"weak": options.weak, "icl": options.icl}, options.iteration)
    padding = building.Padding(to=options.pad_to, seed=options.seed) if options.pad_to else None
    recipe = _strong_recipe(options, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", building.EqualResultsWarning)  # printed below, in one line
        stage1 = building.build_stage1(
            inputs.task,
            inputs.files["weak"],
            inputs.files["icl"],
            options.output_dir or DEFAULT_DIR,
            weak_name=options.weak_name or inputs.weak_name,
            iteration=options.iteration,
            padding=padding,
            prompt_form=options.prompt_form,
            response_rule=options.response_rule,
            recipe=recipe,
        )
    print_inputs(inputs)
    if stage1.identical:
        print_warning("--weak and --icl have the same content, so they agree on every question")
    print_agreement(stage1.agreement)
    if padding:
        print_padding(padding, stage1.agreement)
    print_datasets([*stage1.built.values(), *stage1.unpadded.values()])
    after_dataset(stage1.built["hybrid"])


def _build_stage2(options: Stage2Options) -> None:
    """Build preference pairs, or inspect a file of them."""
    if build_data_stage2.inspect(options):
        return
    files = {"weak": options.weak, "votes": options.votes}
    if not options.has_weak_side:
        files = {"votes": options.votes}
    inputs = _inputs("2", options, files)
    suffix = "paired" if options.kind == "weak" else f"{options.kind}_pairs"
    stem = inputs.task.file_stem(options.weak_name or inputs.weak_name, suffix)
    output = _output(options, inputs, stem)
    recipe = _recipe(options, inputs, preset="dpo", dataset=options.dataset_name)
    build_data_stage2.build(inputs, options, output, recipe)


def _build_self_training(options: SelfTrainingOptions) -> None:
    """Build the dataset of responses with the majority answer."""
    from w2s_factory import building

    inputs = _inputs("self", options, {"votes": options.votes})
    stem = inputs.task.file_stem(options.weak_name or inputs.weak_name, "self")
    output = _output(options, inputs, stem)
    preset = inputs.task.strong_preset
    found = building.build_self_training(
        inputs.task,
        inputs.files["votes"],
        output,
        min_confidence=options.min_confidence,
        seed=options.seed,
        prompt_form=options.prompt_form,
        response_rule=options.response_rule,
        recipe=_recipe(options, inputs, preset=preset, dataset=options.dataset_name),
    )
    rows_printed = messages_to_stderr(output)
    print_inputs(inputs)
    print_self_training(found.counts)
    if not rows_printed:
        print_datasets([found.built])
        after_dataset(found.built)


_BUILDERS: Final[dict[str, Callable[[Any], None]]] = {
    "gold": _build_gold,
    "test": _build_test,
    "full-weak": _build_full_weak,
    "1": _build_stage1,
    "2": _build_stage2,
    "self": _build_self_training,
}
"""The function that carries out each stage, which takes the options of the stage's class in `STAGES`."""


def _stem(source: RowSource, split: str | None) -> str:
    """Return the part of a file's name that says which rows it has: the input's, or the split's."""
    return source.stem if isinstance(source, Path) else str(split)


def _inputs(
    stage: str,
    options: StageOptions,
    files: dict[str, Path | None],
    iteration: int = FIRST_ITERATION,
    split: str | None = None,
) -> Inputs:
    """Return the files named, or those of the run in the current folder, or the embedded example."""
    from w2s_factory import building

    if options.task_name is None and not any(files.values()) and Path(CONTENTS).is_file():
        from w2s_factory.experiment.run_inputs import inputs_of_run

        inputs = inputs_of_run(Path(), stage, iteration)
        return replace(inputs, files={name: inputs.files[name] for name in files})
    return building.inputs_of(stage, options.task_name, files, split)


def _output(options: OneDatasetOptions, inputs: Inputs, stem: str) -> Path:
    """Return the file to write: the one named, or else the one of that stem where the layout puts it."""
    if options.output:
        return options.output
    folder = options.output_dir or DEFAULT_DIR
    inside = f"data/llama_factory/{inputs.task.folder}" if options.layout == "release" else ""
    return folder / inside / f"{stem}.json"


def _strong_recipe(options: DatasetOptions, inputs: Inputs, dataset: str | None = None) -> Recipe:
    """Return the recipe of a dataset that by default trains the task's strong model."""
    task = inputs.task
    return _recipe(options, inputs, preset=task.strong_preset, model=task.strong_model, dataset=dataset)


def _recipe(
    options: DatasetOptions,
    inputs: Inputs,
    *,
    preset: str,
    model: str | None = None,
    dataset: str | None = None,
) -> Recipe:
    """Return the layout and the training config that the options ask for.

    Args:
        options: The options of the stage.
        inputs: Its inputs, which may have a preset and a model.
        preset: The preset by default.
        model: The model by default; None where it is not known: gold data may be for any model, and pairs are
            for M_plus, the model that Stage I trained.
        dataset: The dataset's name; None for the one that its file name gives.
    """
    from w2s_factory import building
    from w2s_factory.llamafactory.settings import parsed_settings

    if options.no_config and options.model:
        raise UserError(
            "cannot be combined with --model, which is only for the config",
            field="--no-config",
            hint="Leave one out",
        )
    return building.Recipe(
        layout=options.layout,
        preset=options.preset or inputs.preset or preset,
        model=None if options.no_config else options.model or inputs.model or model,
        settings=parsed_settings(options.settings),
        version=options.version,
        dataset=dataset,
        force=options.force,
    )


def _print_dataset(inputs: Inputs, built: Built) -> None:
    """Print what was built, and the next command, unless the rows themselves were printed."""
    rows_printed = messages_to_stderr(built.file)
    print_inputs(inputs)
    if not rows_printed:
        print_datasets([built])
        after_dataset(built)
