"""The command line: `w2s-factory COMMAND`. Each command is a module of its own, imported when it is used."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import NoReturn

import click

from w2s_factory.cli.exit import fail, leave
from w2s_factory.cli.help import with_help
from w2s_factory.cli.options import check_paths
from w2s_factory.errors import W2SError, did_you_mean
from w2s_factory.terminal import colour

SECTIONS = {
    "Whole experiments": {
        "init": "Write a commented experiment file or task file to start from.",
        "run": "Run or resume an experiment, up to its report.",
        "status": "Show a run's steps, their progress and the time left.",
        "report": "Write the HTML report of a run.",
    },
    "Model responses": {
        "demos": "Select demonstrations for weak in-context learning (ICL).",
        "generate": "Generate a model's responses to questions.",
        "merge-shards": "Join the shards of a generation into one output.jsonl.",
        "score": "Score responses against gold answers.",
        "vote": "Find the majority answer to each question over all seeds.",
        "evaluate": "Print accuracy, pass@k or avg@k, with confidence intervals.",
    },
    "Datasets": {
        "build-data": "Build LLaMA-Factory datasets, such as Stage I and Stage II.",
        "convert-pairs": "Convert preference pairs between LLaMA-Factory's two formats.",
        "show-task": "Show a task: its splits, and three rows.",
        "audit": "Look for faults in training and test data.",
    },
    "Training with LLaMA-Factory": {
        "make-config": "Write a training or export YAML from a preset.",
        "train": "Train from a YAML config, and check the resulting weights.",
        "export": "Merge adapters into their model, and check the result.",
    },
    "Installation and published data": {
        "doctor": "Check the installation, and print the commands that fix it.",
        "template": "Compare prompt templates with chat templates; add vanilla.",
        "fetch": "Download a benchmark, or the paper's published release.",
        "verify-release": "Check which published files this code reproduces exactly.",
    },
}
"""The headings of the help, and below each its commands with their one-line help."""

COMMANDS = {name: line for commands in SECTIONS.values() for name, line in commands.items()}
"""Each command with its one-line help. Its module is its name with `_` for `-`."""


class _LazyGroup(click.Group):
    """A group that shows its help without importing a command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"w2s_factory.cli.{cmd_name.replace('-', '_')}"
        command = with_help(importlib.import_module(name).command, name)
        check_paths(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; the error for an unknown name gives the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            text = f"{error.message} {did_you_mean(args[0], list(COMMANDS))}".strip()
            raise click.UsageError(text, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for heading, commands in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<{width}}", line) for name, line in commands.items()])


@click.command("w2s-factory", cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="w2s-factory")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; also works after the command.")
def group(debug: bool) -> None:
    """Weak-to-strong reasoning on LLaMA-Factory.

    Turns a weak model's answers into training data for a strong model. To try it, run

        w2s-factory build-data --stage 1

    which builds Stage I of the embedded example and prints the next command. To see the options of a
    command, run w2s-factory COMMAND --help.
    """


with_help(group, __name__)


def _leave(number: int, _: object) -> NoReturn:
    """Leave by an exception, so that unfinished files are removed on the way out."""
    raise SystemExit(128 + number)


def _run(arguments: list[str]) -> int:
    """Run a command, in colours if the environment wants them and the stream shows them."""
    return group.main(arguments, prog_name="w2s-factory", standalone_mode=False, color=colour()) or 0


def main() -> NoReturn:
    """Run the command line; every failure is one line on stderr and an exit code.

    Exit codes: 0 success, 1 a delegate failed, 2 a user error, 128 + N ended by signal N. With `--debug`
    (anywhere on the line) or `W2S_DEBUG=1` failures show their traceback.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    arguments = sys.argv[1:]
    debug = "--debug" in arguments or os.environ.get("W2S_DEBUG") == "1"
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        leave(lambda: _run(arguments))
    except (Exception, KeyboardInterrupt) as error:  # the outermost layer: everything becomes a line
        if debug and not isinstance(error, click.ClickException):
            raise
        fail(error)


__all__ = ["COMMANDS", "W2SError", "group", "main"]
