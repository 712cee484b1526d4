"""`w2s-factory init`: a commented experiment file, or a commented task file."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import print_next_command, print_next_sentence
from w2s_factory.cli.options import PATH, TASKS
from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@option(
    "--task",
    required=True,
    metavar="NAME",
    help=f"The task of the experiment: {TASKS}. Without --output: the task file to write, ./NAME.yaml.",
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
@option("--output", type=PATH, metavar="FILE", help="The experiment file to write.")
@option("--force", is_flag=True, help="Overwrite a file that has other content.")
def command(
    task: str, weak: str | None, strong: str | None, chat: bool, output: Path | None, force: bool
) -> None:
    """Write a commented experiment file or task file to start from.

    Name your models in the experiment file, then carry it out with w2s-factory run. A task file says
    where the rows of your own data are, how their questions are asked, and when an answer is right.

    \b
    Examples:
      w2s-factory init --task gsm8k --output experiment.yaml
      w2s-factory init --task gsm8k --weak Qwen/Qwen3-0.6B --strong Qwen/Qwen3-4B --chat \\
          --output experiment.yaml
      w2s-factory init --task ./mytask.yaml
    """  # noqa: D301  click reads \b
    if output is None:
        if weak or strong or chat:
            raise UserError(
                "is needed with --weak, --strong and --chat", field="--output", hint="Name a file"
            )
        _write_task(task, force=force)
        return
    from w2s_factory.experiment.init import write_experiment

    write_experiment(task, output, weak=weak, strong=strong, chat=chat, force=force)
    click.echo(f"Wrote {output}")
    print_next_command("run", output, "--dry-run")


def _write_task(task: str, *, force: bool) -> None:
    """Write a task file.

    Raises:
        UserError: The task is not a YAML file, so that it can only be that of an experiment.
    """
    from w2s_factory.tasks.new_task_file import write_task_file
    from w2s_factory.tasks.registry import YAML, is_task_file

    if not is_task_file(task) or not task.endswith(YAML):
        hint = "Or name a task file to write: --task ./NAME.yaml"
        raise UserError("is needed for an experiment file", field="--output", hint=hint)
    write_task_file(task, force=force)
    click.echo(f"Wrote {task}")
    print_next_sentence(f"edit it, then check it with w2s-factory {shlex.join(['show-task', task])}")
