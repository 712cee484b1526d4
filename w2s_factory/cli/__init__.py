"""The command line: `w2s-factory COMMAND`; one module a command, imported when it is used."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import NoReturn

import click

from w2s_factory.cli.docstrings import with_help
from w2s_factory.cli.edge import fail, leave
from w2s_factory.cli.paths import check_paths
from w2s_factory.errors import W2SError

COMMANDS = {
    "build-data": "Build LLaMA-Factory datasets: gold, full weak, Stage I, Stage II.",
    "convert-pairs": "Convert preference pairs between the published form and LLaMA-Factory's present one.",
    "make-config": "Write a training YAML from a preset, for the LLaMA-Factory installed here or one named.",
    "train": "Train with LLaMA-Factory from the YAML CONFIG, and check what it made.",
    "export": "Merge adapters into their model with LLaMA-Factory as CONFIG says, and check the model.",
    "demos": "Pick demonstrations as the release did, or name them by id.",
    "generate": "Generate a model's responses to a split.",
    "merge-shards": "Join the shards of a generation into its output.jsonl.",
    "score": "Score a split's responses against its golds.",
    "vote": "Find the majority answer of each question over all seeds.",
    "evaluate": "Print accuracy or pass@k of results, with intervals.",
    "init": "Write a commented experiment file to start from.",
    "run": "Run an experiment FILE up to its report: plan, resume, report.",
    "report": "Write the report of a run: one HTML page, its figures and numbers beside it.",
    "fetch": "Fetch GSM8K, MATH or OlympicArena from the hub, or the published release from its repository.",
    "verify-release": "Say what of the published release in DIR this code reproduces byte for byte.",
    "audit": "Look for faults in training and test data below DIR.",
    "template": "Make the template vanilla known to an installed LLaMA-Factory, say whether it is, undo it.",
    "doctor": "Say what is installed, what fits together, and the command that mends what does not.",
}
"""Each command with its one-line help; its module is its name with `_` for `-`."""


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="w2s-factory")
@click.option("--debug", is_flag=True, help="Show where an error came from; also after the command.")
def group(debug: bool) -> None:
    """Weak-to-strong reasoning on LLaMA-Factory.

    A weak model's answers become training data for a strong one. Start with:

        w2s-factory build-data --stage 1

    which builds Stage I of the embedded example and names the next command.
    """


with_help(group, __name__)


def _leave(number: int, _: object) -> NoReturn:
    """Leave by an exception, so that unfinished files are removed on the way out."""
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """Run the command line; every failure is one line on stderr and an exit code.

    Exit codes: 0 done, 1 a delegate failed, 2 the user's mistake, 128 + N ended by signal N. With `--debug`
    (anywhere on the line) or `W2S_DEBUG=1` failures show their traceback.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    arguments = sys.argv[1:]
    debug = "--debug" in arguments or os.environ.get("W2S_DEBUG") == "1"
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        leave(lambda: group.main(arguments, prog_name="w2s-factory", standalone_mode=False) or 0)
    except (Exception, KeyboardInterrupt) as error:  # the edge: everything becomes a line
        if debug and not isinstance(error, click.ClickException):
            raise
        fail(error)


__all__ = ["COMMANDS", "W2SError", "group", "main"]
