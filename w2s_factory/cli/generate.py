"""`w2s-factory generate`: a model's responses to questions, greedy or sampled, resumable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from w2s_factory.cli.help import HeadedCommand, heading, option
from w2s_factory.cli.next_steps import after_generation
from w2s_factory.cli.options import PATH, TASKS, number, reasoning_markers, reasoning_options
from w2s_factory.errors import UserError, one_line
from w2s_factory.quantities import (
    MAX_FAILURES,
    PUBLISHED_TEMPERATURE,
    FailedShare,
    MaxTokens,
    MinP,
    PresencePenalty,
    QuestionCount,
    RepetitionPenalty,
    Samples,
    Temperature,
    TopK,
    TopP,
)
from w2s_factory.ranges import Seed
from w2s_factory.terminal import wrapped

if TYPE_CHECKING:
    from typing import Literal

    from w2s_factory.generating import ChatSettings, Generated, Generation, Preview, Sampling
    from w2s_factory.records import RowSource
    from w2s_factory.tasks import Task

_questions = heading("Questions")
_prompt = heading("Prompt")
_chat = heading("Chat")
_model = heading("Model and engine")
_sampling = heading("Sampling")
_output = heading("Output")


@dataclass(frozen=True, kw_only=True)
class GenerateOptions:
    """The options of `generate`, by the names of their parameters; their help says what they mean."""

    task_name: str
    split: str | None
    release: Path | None
    questions: Path | None
    limit: int | None
    shard: str | None
    demos: Path | None
    exclude_demos: bool
    bos: Literal["auto", "add", "none"]
    chat: str
    system: str | None
    thinking: Literal["on", "off", "auto"] | None
    demonstrations: Literal["turns", "text"] | None
    reasoning_start: str | None
    reasoning_end: str | None
    model: str
    adapter: str | None
    engine: str | None
    base_url: str | None
    engine_options: tuple[str, ...]
    samples: int | None
    first_seed: int
    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    presence_penalty: float | None
    repetition_penalty: float | None
    sampling: Literal["model"] | None
    max_tokens: int | None
    stop: tuple[str, ...]
    no_stop: bool
    output_dir: Path


@click.command(cls=HeadedCommand)
@_questions("--task", "task_name", required=True, metavar="NAME", help=f"The task: {TASKS}.")
@_questions(
    "--split", metavar="NAME", help="The split of the task to answer, such as train_1, train_2 or test."
)
@_questions(
    "--questions", type=PATH, metavar="FILE",
    help="Instead of --split: a JSON or JSON-lines file whose rows have a question.",
)  # fmt: skip
@_questions(
    "--release", type=PATH, envvar="W2S_RELEASE", show_envvar=True, metavar="DIR",
    help="A copy of the published release, which contains the questions of gsm8k and math.",
)  # fmt: skip
@_questions("--limit", type=number(QuestionCount), metavar="N", help="Answer only the first N questions.")
@_questions(
    "--shard", metavar="I/N",
    help="Divide the questions into N parts and answer only part I (1 to N). Afterwards merge-shards joins "
    "the parts.",
)  # fmt: skip
@_prompt(
    "--demos", type=PATH, metavar="FILE", show_default="none, zero-shot",
    help="Demonstrations to show before each question (weak ICL), as the command demos writes them; "
    "or a task file, for its own.",
)  # fmt: skip
@_prompt(
    "--exclude-demos", is_flag=True, help="Leave a demonstration out of the prompt for its own question."
)
@_prompt(
    "--bos", type=click.Choice(["auto", "add", "none"]), default="auto", show_default=True,
    help="The BOS token before the prompt. auto: as the tokenizer does, like the published runs. add: "
    "always. none: never. In a chat the template writes it.",
)  # fmt: skip
@_chat(
    "--chat", metavar="auto|on|off|FILE", default="off", show_default=True,
    help="Ask in a chat, in the format of a chat template. on: the tokenizer's own. auto: likewise, or off "
    "with a note if it has none. FILE: a Jinja file. off: the task's own prompt, as published.",
)  # fmt: skip
@_chat(
    "--system", metavar="TEXT", show_default="the task's, or none",
    help='The system prompt; "" for none, not even the task\'s.',
)  # fmt: skip
@_chat(
    "--thinking", type=click.Choice(["on", "off", "auto"]), show_default="auto",
    help="Whether the template asks the model to think before it answers. auto: as the template has it by "
    "default.",
)  # fmt: skip
@_chat(
    "--demonstrations", type=click.Choice(["turns", "text"]), show_default="turns",
    help="Demonstrations as turns of the conversation, or as one text with the question, as published.",
)  # fmt: skip
@reasoning_options(_chat)
@_model(
    "--model", required=True, metavar="PATH",
    help="The model: a folder, or a name on the Hugging Face Hub. With --engine openai: its name on the "
    "server.",
)  # fmt: skip
@_model("--adapter", metavar="PATH", help="An adapter for the model, of any kind that peft can load.")
@_model(
    "--engine", metavar="NAME", show_default="vllm if it is installed and there is a GPU, else transformers",
    help="What runs the model: transformers, vllm, openai (any OpenAI-compatible server), or one from an "
    "installed package.",
)  # fmt: skip
@_model(
    "--engine-option", "engine_options", multiple=True, metavar="NAME=VALUE",
    help="An option of the engine, such as batch_size=8 (transformers) or tensor_parallel_size=4 (vllm); "
    "repeatable.",
)  # fmt: skip
@_model(
    "--base-url", metavar="URL", help="With --engine openai: the server, such as http://localhost:8000/v1."
)
@_sampling(
    "--samples", type=number(Samples), metavar="N", show_default="one greedy response",
    help="Generate N sampled responses to each question, each with a seed of its own.",
)  # fmt: skip
@_sampling(
    "--first-seed", type=number(Seed), default=0, show_default=True,
    help="The seed of the first sample; the others follow. To add samples to 10 earlier ones, give 10.",
)  # fmt: skip
@_sampling(
    "--temperature", type=number(Temperature),
    show_default=f"0 (greedy), or {PUBLISHED_TEMPERATURE} with --samples",
    help="The sampling temperature.",
)  # fmt: skip
@_sampling(
    "--top-p", type=number(TopP), show_default="1",
    help="Sample only from the most likely tokens that together have this share of the probability.",
)  # fmt: skip
@_sampling(
    "--top-k", type=number(TopK), metavar="N", show_default="0, all",
    help="Sample only from the N most likely tokens.",
)  # fmt: skip
@_sampling(
    "--min-p", type=number(MinP), show_default="0, all",
    help="Sample only tokens with at least this share of the likeliest token's probability.",
)  # fmt: skip
@_sampling(
    "--presence-penalty", type=number(PresencePenalty), show_default="0, none",
    help="Lower the score of each token that the response already holds by this number.",
)  # fmt: skip
@_sampling(
    "--repetition-penalty", type=number(RepetitionPenalty), show_default="1, none",
    help="Divide the score of each token that the prompt or the response already holds by this number "
    "(negative scores are multiplied).",
)  # fmt: skip
@_sampling(
    "--sampling", type=click.Choice(["model"]),
    help="model: take the sampling settings in the model's generation_config.json; options given here win. "
    "Not with --engine openai.",
)  # fmt: skip
@_sampling(
    "--max-tokens", type=number(MaxTokens), show_default="the task's",
    help="The longest response, in tokens.",
)  # fmt: skip
@_sampling(
    "--stop", multiple=True, metavar="TEXT", show_default="the task's; in a chat not the published ones",
    help="End a response before this text; repeatable.",
)  # fmt: skip
@_sampling("--no-stop", is_flag=True, help="Ignore all stop texts, also the task's.")
@_output(
    "--output-dir", type=PATH, metavar="DIR", required=True,
    help="The folder for output.jsonl; for samples, of t1.0/seed0/output.jsonl, ...",
)  # fmt: skip
@_output("--restart", is_flag=True, help="Discard what an earlier run wrote to the folder, and start over.")
@_output(
    "--restart-if-changed", is_flag=True,
    help="Start over only if the earlier run had other settings; else resume it.",
)  # fmt: skip
@_output("--retry-failed", is_flag=True, help="Request again what the engine refused in an earlier run.")
@_output(
    "--max-failures", type=number(FailedShare), default=MAX_FAILURES, show_default=True, metavar="SHARE",
    help="The share of the requests, rounded up, that the engine may refuse, such as too long prompts. More "
    "end the run.",
)  # fmt: skip
@option(
    "--dry-run",
    is_flag=True,
    help="Only show the first prompt, its tokens and all settings; load no weights.",
)
def command(dry_run: bool, **options: Any) -> None:
    """Generate a model's responses to questions.

    Writes one greedy response to each question, or with --samples several sampled ones. Each finished
    response is kept at once: if the command is interrupted, run it again to resume.

    \b
    Examples:
      w2s-factory generate --task gsm8k --split train_2 --model PATH --adapter PATH --output-dir DIR
      w2s-factory generate --task gsm8k --split train_2 --model PATH --demos demos.json --output-dir DIR
      w2s-factory generate --task gsm8k --split train_2 --model PATH --output-dir DIR \\
          --samples 10 --temperature 1.0
      w2s-factory generate --task arithmetic --split dev --model PATH --output-dir DIR --dry-run
    """  # noqa: D301  click reads \b
    from w2s_factory import generating

    running = {name: options.pop(name) for name in _RUNNING}
    generation = _generation(GenerateOptions(**options))
    if dry_run:
        _print_preview(generating.preview(generation))
    else:
        click.echo(f"engine {generation.engine}, model {generation.model.name}", err=True)
        files = generating.generate(generation, **running)
        _print_files(files)
        after_generation(generation, [written.file for written in files], options["split"])


_RUNNING = ("restart", "restart_if_changed", "retry_failed", "max_failures")
"""The options that decide how a run is carried out, not what it asks."""


def _generation(options: GenerateOptions) -> Generation:
    """Return the generation that the options describe."""
    from w2s_factory import generating
    from w2s_factory.tasks import get_task

    if options.exclude_demos and not options.demos:
        raise UserError("is read only with --demos", field="--exclude-demos", hint="Name the demonstrations")
    task = get_task(options.task_name)
    chat = _chat_of(options)
    sampling = _sampling_of(task, options, in_chat=chat is not None)
    sampled = sampling.temperature > 0
    return generating.Generation(
        task=task,
        questions=_questions_of(task, options),
        model=generating.Model(options.model, options.adapter, options.bos),
        output_dir=options.output_dir,
        sampling=sampling,
        seeds=[options.first_seed + n for n in range(options.samples or 1)] if sampled else [0],
        engine=options.engine or generating.default_engine(),
        engine_options=_engine_options(options),
        demonstrations=options.demos,
        exclude_demos=options.exclude_demos,
        limit=options.limit,
        shard=generating.Shard.parse(options.shard) if options.shard else None,
        chat=chat,
    )


def _chat_of(options: GenerateOptions) -> ChatSettings | None:
    """Return the settings of a chat; None outside a chat.

    Raises:
        UserError: An option is read only in a chat, only one marker is given, or the template's file or the
            model is missing.
    """
    from w2s_factory import generating
    from w2s_factory.chat import OWN
    from w2s_factory.processes import say

    if options.chat == "off":
        for name in ("system", "thinking", "demonstrations", "reasoning_start", "reasoning_end"):
            if getattr(options, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise UserError("is read only in a chat", field=option, hint="Add --chat on")
        return None
    own = options.chat in ("auto", "on")
    if not own and not Path(options.chat).exists():
        problem = "no such file; expected auto, on, off, or the path of a Jinja file"
        raise UserError(problem, file=options.chat, field="--chat")
    settings = generating.ChatSettings(
        template=OWN if own else Path(options.chat),
        system=options.system,
        thinking=options.thinking or "auto",
        demonstrations=options.demonstrations or "turns",
        markers=reasoning_markers(options.reasoning_start, options.reasoning_end),
    )
    if options.chat != "auto":
        return settings
    engine = options.engine or generating.default_engine()
    return generating.chosen_chat(settings, generating.Model(options.model), engine, tell=say)


def _questions_of(task: Task, options: GenerateOptions) -> RowSource:
    """Return the questions: a file, or the rows of a task that reads them itself.

    Raises:
        UserError: Both or neither of --split and --questions are given, or the task has no such split.
    """
    from w2s_factory import generating

    if (options.split is None) == (options.questions is None):
        raise UserError(
            f"expected either --split or --questions, got {'both' if options.split else 'neither'}",
            hint="--split names a split of the task, --questions a file of your own",
        )
    if options.questions is not None:
        return options.questions
    return generating.questions_of(task, str(options.split), options.release)


def _sampling_of(task: Task, options: GenerateOptions, *, in_chat: bool) -> Sampling:
    """Return the task's published sampling with what the model's defaults and the options change of it.

    Raises:
        UserError: Options contradict each other, or the model has no defaults.
    """
    from w2s_factory import generating

    if "" in options.stop:
        raise UserError("an empty text would end every response at once", field="--stop")
    if options.stop and options.no_stop:
        raise UserError("contradicts --stop", field="--no-stop", hint="Give one of them")
    numbers = {name: getattr(options, name) for name in _SAMPLING_NUMBERS}
    settings: dict[str, Any] = {"temperature": PUBLISHED_TEMPERATURE if options.samples else 0.0}
    if options.sampling == "model":
        engine = options.engine or generating.default_engine()
        settings |= generating.model_sampling(options.model, engine=engine)
    settings |= {name: value for name, value in numbers.items() if value is not None}
    if options.stop or options.no_stop:
        settings["stop"] = options.stop
    hint = "Raise --temperature"
    if settings["temperature"] == 0 and options.samples:
        raise UserError("greedy responses to a question are all the same", field="--samples", hint=hint)
    if settings["temperature"] == 0 and options.first_seed:
        raise UserError("greedy responses have no seed", field="--first-seed", hint=hint)
    return replace(generating.published_sampling(task, in_chat=in_chat), **settings)


_SAMPLING_NUMBERS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "repetition_penalty",
    "max_tokens",
)
"""The options that are numbers of `Sampling`, by whose names they are passed on."""


def _engine_options(options: GenerateOptions) -> dict[str, Any]:
    """Return the engine's options by name, their values read as YAML."""
    from w2s_factory.records.yaml_files import parse_value

    named: dict[str, Any] = {"base_url": options.base_url} if options.base_url else {}
    for text in options.engine_options:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f'expected NAME=VALUE, got "{text}"', field="--engine-option")
        try:
            named[name] = parse_value(value)
        except ValueError as error:
            raise UserError(f'the value of "{name}" is not YAML ({error})', field="--engine-option") from None
    return named


def _print_preview(preview: Preview) -> None:
    """Print the first prompt, its tokens, the settings, and the files that would be written."""
    click.echo(f"{preview.requests:,} requests; the first prompt:\n{wrapped(preview.prompt, then='')}\n")
    if preview.tokens is None:
        click.echo("its tokens: only the server knows them")
    else:
        tokens = " ".join(f"{token}:{one_line(name)}" for token, name in preview.tokens)
        click.echo(wrapped(f"its {len(preview.tokens)} tokens: {tokens}"))
    for name, value in preview.settings.items():
        click.echo(wrapped(f"{name}: {value}", first="  ", then="    "))
    for file in preview.files:
        click.echo(wrapped(f"would write {file}"))


def _print_files(files: list[Generated]) -> None:
    """Print the files written, and how many of their responses were cut off or are missing."""
    for written in files:
        cut = f", {written.at_limit:,} cut off at the token limit" if written.at_limit else ""
        failed = f", {written.failed:,} failed" if written.failed else ""
        click.echo(f"Wrote {written.file} ({written.rows:,} responses{cut}{failed})")
