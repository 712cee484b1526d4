"""`w2s-factory init`: a commented experiment file."""

from __future__ import annotations

from pathlib import Path

import click

from w2s_factory.cli.next_steps import tell_next


@click.command()
@click.option(
    "--task",
    required=True,
    metavar="NAME",
    help="gsm8k, math, olympic_arena, arithmetic, or a package's own.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to write."
)
@click.option("--force", is_flag=True, help="Overwrite a file that holds something else.")
def command(task: str, output: Path, force: bool) -> None:
    """Write a commented experiment file to start from.

    \b
    Example:
      w2s-factory init --task gsm8k --output experiment.yaml
    """  # noqa: D301  click reads \b
    from w2s_factory.experiment.init import write_experiment

    write_experiment(task, output, force=force)
    click.echo(f"Wrote {output}")
    tell_next("run", output, "--dry-run")
