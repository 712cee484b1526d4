"""`w2s-factory show-task`: a task's splits, and rows as prompt, gold answer and answer of the solution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import print_next_command
from w2s_factory.cli.options import PATH
from w2s_factory.terminal import wrapped

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.building.shown_task import ShownRow, ShownTask


@click.command()
@click.argument("task", metavar="TASK")
@option("--split", metavar="NAME", show_default="the first one", help="The split whose rows are shown.")
@option(
    "--release", type=PATH, envvar="W2S_RELEASE", show_envvar=True, metavar="DIR",
    help="A copy of the published release, which contains the rows of gsm8k and math.",
)  # fmt: skip
def command(task: str, split: str | None, release: Path | None) -> None:
    """Show a task: its splits, and three rows.

    TASK is a task's name or the file that defines it. Each row is shown as the prompt that a model is given,
    the gold answer, and the answer found in the gold solution. All rows are read, so that a mistake in the
    file or in the data is found before any model is asked.

    \b
    Examples:
      w2s-factory show-task ./mytask.yaml
      w2s-factory show-task arithmetic --split test
    """  # noqa: D301  click reads \b
    from w2s_factory.building.shown_task import show_task

    shown = show_task(task, split, release)
    _print_sizes(shown)
    for row in shown.rows:
        _print_row(shown, row)
    if shown.scored:
        of = f"{shown.right:,} of {shown.scored:,} solutions"
        click.echo(f"\nThe gold answer is found in {of} (split {shown.split}).")
    if shown.task.file is not None:
        print_next_command("build-data", "--stage", "test", "--task", task, "--split", shown.split)


def _print_sizes(shown: ShownTask) -> None:
    click.echo(f"Task {shown.task.name}")
    for split, size in shown.sizes.items():
        unknown, texts = shown.without_gold[split], shown.not_numbers[split]
        note = f", {unknown:,} without a gold answer" if unknown else ""
        if texts:
            first = f"{'the first' if texts > 1 else 'the row'} with id {shown.first_not_number[split]}"
            note += f", {texts:,} whose gold answer is not a number ({first})"
        click.echo(f"  {split}: {'no file' if size is None else f'{size:,} rows{note}'}")


def _print_row(shown: ShownTask, row: ShownRow) -> None:
    click.echo(f"\nRow {row.id} of {shown.split}")
    if shown.task.system:
        _print_text("system prompt of a chat", shown.task.system)
    _print_text("prompt", row.prompt)
    if row.user_turn != row.prompt:
        _print_text("prompt in a chat", row.user_turn)
    click.echo(f"  gold answer: {row.gold or 'not known'}")
    if row.solution:
        _print_text("gold solution", row.solution)
        verdict = {True: " (right)", False: " (not the gold answer)", None: ""}[row.result]
        click.echo(f"  answer found in it: {row.found or 'none'}{verdict}")


def _print_text(name: str, text: str) -> None:
    click.echo(f"  {name}:")
    for line in text.splitlines():
        click.echo(wrapped(line, first="    ", then="    "))
