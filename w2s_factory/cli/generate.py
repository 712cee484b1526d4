"""`w2s-factory generate`: a model's responses to a split, greedy or sampled, resumable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from w2s_factory.cli.next_steps import after_generation
from w2s_factory.cli.numbers import number
from w2s_factory.errors import UserError, one_line
from w2s_factory.quantities import MaxTokens, QuestionCount, Samples, Temperature, TopP
from w2s_factory.ranges import Seed
from w2s_factory.terminal import wrapped

if TYPE_CHECKING:
    from w2s_factory.generating import Generated, Generation, Preview, Sampling
    from w2s_factory.tasks import Task

_PATH = click.Path(path_type=Path)


@click.command()
@click.option(
    "--task", "task_name", required=True, metavar="NAME", help="gsm8k, math, arithmetic, olympic_arena ..."
)
@click.option("--split", metavar="NAME", help="train_1, train_2, test ...")
@click.option(
    "--release", type=_PATH, envvar="W2S_RELEASE", show_envvar=True, metavar="DIR",
    help="The published release, where the questions of gsm8k and math lie.",
)  # fmt: skip
@click.option("--questions", type=_PATH, metavar="FILE", help="Questions in the test form, not a split.")
@click.option("--limit", type=number(QuestionCount), metavar="N", help="Only the first N questions.")
@click.option("--shard", metavar="I/N", help="Only the Ith of N parts of the questions; see merge-shards.")
@click.option("--demos", type=_PATH, metavar="FILE", help="Demonstrations (weak ICL). [default: zero-shot]")
@click.option("--exclude-demos", is_flag=True, help="Leave a demonstration out where its question is asked.")
@click.option("--model", required=True, metavar="PATH", help="A folder or hub name; a name on the server.")
@click.option("--adapter", metavar="PATH", help="An adapter on top of it, of any kind peft loads.")
@click.option("--bos", type=click.Choice(["auto", "add", "none"]), default="auto", show_default=True,
    help="BOS token before the prompt: as the tokenizer does (published), always, never.",
)  # fmt: skip
@click.option("--engine", metavar="NAME", help="transformers, vllm, openai. [default: vllm on a GPU]")
@click.option("--base-url", metavar="URL", help="engine openai: the server, http://localhost:8000/v1.")
@click.option("--engine-option", "engine_options", multiple=True, metavar="NAME=VALUE",
    help="An option of the engine (batch_size=8, tensor_parallel_size=4); repeatable.",
)  # fmt: skip
@click.option("--samples", type=number(Samples), metavar="N", help="N sampled responses a question.")
@click.option("--first-seed", type=number(Seed), default=0, show_default=True, help="Of the samples.")
@click.option("--temperature", type=number(Temperature), help="[default: 0; with --samples 1.0]")
@click.option("--top-p", type=number(TopP), help="[default: 1]")
@click.option("--max-tokens", type=number(MaxTokens), help="The longest response. [default: the task's]")
@click.option(
    "--stop", multiple=True, metavar="TEXT", help="Ends a response; repeatable. [default: the task's]"
)
@click.option("--output-dir", type=_PATH, metavar="DIR", required=True, help="Where output.jsonl goes.")
@click.option("--restart", is_flag=True, help="Throw away what an earlier run left in the folder.")
@click.option("--restart-if-changed", is_flag=True,
    help="Throw it away only if it was begun with other settings.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show the first prompt, its tokens, and the settings; no more.")
def command(dry_run: bool, restart: bool, restart_if_changed: bool, **options: Any) -> None:
    """Generate a model's responses to a split.

    Greedy into DIR/output.jsonl, or sampled into DIR/t1.0/seed0/output.jsonl and so on. Every finished
    response is kept at once: killed and started again, the same command continues.

    \b
    Examples:
      w2s-factory generate --task gsm8k --split train_2 --model PATH --adapter PATH --output-dir DIR
      w2s-factory generate --task gsm8k --split train_2 --model PATH --demos demos.json --output-dir DIR
      w2s-factory generate --task gsm8k --split train_2 --model PATH --output-dir DIR \\
          --samples 10 --temperature 1.0
      w2s-factory generate --task arithmetic --split dev --model PATH --output-dir DIR --dry-run
    """  # noqa: D301  click reads \b
    from w2s_factory import generating

    generation = _generation(options)
    if dry_run:
        _tell_preview(generating.preview(generation))
    else:
        click.echo(f"engine {generation.engine}, model {generation.model.name}", err=True)
        made = generating.generate(generation, restart=restart, restart_if_changed=restart_if_changed)
        _tell_generated(generation, made)


def _generation(options: dict[str, Any]) -> Generation:
    from w2s_factory import generating
    from w2s_factory.tasks import get_task

    if options["exclude_demos"] and not options["demos"]:
        raise UserError(
            "there are no demonstrations to leave out", field="--exclude-demos", hint="Name --demos"
        )
    task = get_task(options["task_name"])
    sampling = _sampling(task, options)
    sampled = sampling.temperature > 0
    engine = options["engine"] or generating.default_engine()
    return generating.Generation(
        task=task,
        questions=_questions(task, options),
        model=generating.Model(options["model"], options["adapter"], options["bos"]),
        output_dir=options["output_dir"],
        sampling=sampling,
        seeds=[options["first_seed"] + n for n in range(options["samples"] or 1)] if sampled else [0],
        engine=engine,
        engine_options=_engine_options(options),
        demonstrations=options["demos"],
        exclude_demos=options["exclude_demos"],
        limit=options["limit"],
        shard=generating.Shard.parse(options["shard"]) if options["shard"] else None,
    )


def _questions(task: Task, options: dict[str, Any]) -> Path:
    from w2s_factory import generating

    if (options["split"] is None) == (options["questions"] is None):
        raise UserError("name the questions with --split or with --questions")
    if options["split"] is None:
        questions: Path = options["questions"]
        return questions
    return generating.split_file(task, options["split"], options["release"])


def _sampling(task: Task, options: dict[str, Any]) -> Sampling:
    from w2s_factory import generating

    temperature = options["temperature"]
    if temperature is None:
        temperature = 1.0 if options["samples"] else 0.0
    if temperature == 0 and options["samples"]:
        raise UserError("greedy responses are all the same", field="--samples", hint="Raise --temperature")
    if temperature == 0 and options["first_seed"]:
        raise UserError("greedy responses have no seed", field="--first-seed", hint="Raise --temperature")
    if "" in options["stop"]:
        raise UserError("an empty text would end every response at once", field="--stop")
    given = {name: options[name] for name in ("top_p", "max_tokens", "stop") if options[name]}
    return replace(generating.published_sampling(task, temperature), **given)


def _engine_options(options: dict[str, Any]) -> dict[str, Any]:
    from w2s_factory.records.yaml_files import parse_value

    named = {"base_url": options["base_url"]} if options["base_url"] else {}
    for text in options["engine_options"]:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f'expected NAME=VALUE, got "{text}"', field="--engine-option")
        try:
            named[name] = parse_value(value)
        except ValueError as error:
            raise UserError(f'the value of "{name}" is not YAML ({error})', field="--engine-option") from None
    return named


def _tell_preview(preview: Preview) -> None:
    click.echo(f"{preview.requests:,} requests; the first prompt:\n{wrapped(preview.prompt, then='')}\n")
    if preview.tokens is None:
        click.echo("its tokens: only the server knows them")
    else:
        shown = " ".join(f"{token}:{one_line(name)}" for token, name in preview.tokens)
        click.echo(wrapped(f"its {len(preview.tokens)} tokens: {shown}"))
    for name, value in preview.settings.items():
        click.echo(wrapped(f"{name}: {value}", first="  ", then="    "))
    for file in preview.files:
        click.echo(wrapped(f"would write {file}"))


def _tell_generated(generation: Generation, files: list[Generated]) -> None:
    for made in files:
        cut = f", {made.at_limit:,} cut at the token limit" if made.at_limit else ""
        click.echo(f"wrote {made.file} ({made.rows:,} responses{cut})")
    after_generation(generation, [made.file for made in files])
