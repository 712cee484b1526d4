"""`w2s-factory init`: a commented experiment file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import print_next_command
from w2s_factory.cli.options import PATH, TASKS

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@option(
    "--task",
    required=True,
    metavar="NAME",
    help=f"The task of the experiment: {TASKS}.",
)
@option(
    "--weak", metavar="MODEL", show_default="the paper's",
    help="The weak model: a folder, or a name on the Hugging Face Hub.",
)  # fmt: skip
@option("--strong", metavar="MODEL", show_default="the paper's", help="The strong model, likewise.")
@option(
    "--chat",
    is_flag=True,
    help="Write a file for chat models, which are trained and asked in their own chat templates.",
)
@option("--output", type=PATH, required=True, metavar="FILE", help="The experiment file to write.")
@option("--force", is_flag=True, help="Overwrite a file that has other content.")
def command(task: str, weak: str | None, strong: str | None, chat: bool, output: Path, force: bool) -> None:
    """Write a commented experiment file to start from.

    Edit it to name your models, then carry it out with w2s-factory run.

    \b
    Examples:
      w2s-factory init --task gsm8k --output experiment.yaml
      w2s-factory init --task gsm8k --weak Qwen/Qwen3-0.6B --strong Qwen/Qwen3-4B --chat \\
          --output experiment.yaml
    """  # noqa: D301  click reads \b
    from w2s_factory.experiment.init import write_experiment

    write_experiment(task, output, weak=weak, strong=strong, chat=chat, force=force)
    click.echo(f"Wrote {output}")
    print_next_command("run", output, "--dry-run")
