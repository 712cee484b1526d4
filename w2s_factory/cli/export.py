"""`w2s-factory export`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.next_steps import after_model

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--llamafactory-cli",
    type=click.Path(),
    metavar="PATH",
    help="Start this LLaMA-Factory: an environment's llamafactory-cli, or a checkout's src/train_bash.py "
    "(0.5.0 to 0.7.0). Without it: that of the current environment.",
)
@click.option("--python", type=click.Path(), metavar="PATH", help="The interpreter of its environment.")
@click.option("--force", is_flag=True, help="Write over a model that is in export_dir.")
def command(
    config: Path,
    overrides: tuple[str, ...],
    llamafactory_cli: Path | None,
    python: Path | None,
    force: bool,
) -> None:
    """Merge adapters into their model with LLaMA-Factory as CONFIG says, and check the model.

    \b
    Example:
        w2s-factory export merge.yaml export_dir=models/m_plus
    """  # noqa: D301  click reads \b
    from w2s_factory.llamafactory.launch import export

    weights = export(config, overrides, llamafactory_cli=llamafactory_cli, python=python, force=force)
    click.echo(f"Merged: model in {weights.folder}")
    after_model(weights.folder)
    if weights.not_noted is not None:
        click.echo(f"Warning: nothing is noted of this export: {weights.not_noted}", err=True)
