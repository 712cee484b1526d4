"""`w2s-factory export`: adapters merged into their model by LLaMA-Factory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import after_model
from w2s_factory.cli.options import environment_options
from w2s_factory.cli.output import print_warning

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@environment_options
@option("--force", is_flag=True, help="Overwrite a model in export_dir.")
def command(
    config: Path,
    overrides: tuple[str, ...],
    llamafactory_cli: Path | None,
    python: Path | None,
    force: bool,
) -> None:
    """Merge adapters into their model, and check the result.

    CONFIG is an export YAML for LLaMA-Factory, as make-config --preset export writes it; KEY=VALUE overrides
    one of its arguments. LLaMA-Factory merges the adapters and saves the model in export_dir.

    \b
    Example:
      w2s-factory export merge.yaml export_dir=models/m_plus
    """  # noqa: D301  click reads \b
    from w2s_factory.llamafactory.launch import export

    weights = export(config, overrides, llamafactory_cli=llamafactory_cli, python=python, force=force)
    click.echo(f"Merged: model in {weights.folder}")
    after_model(weights.folder)
    if weights.not_noted is not None:
        print_warning(f"the export was not recorded in the manifest: {weights.not_noted}")
