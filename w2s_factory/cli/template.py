"""`w2s-factory template`: the prompt template vanilla in an installed LLaMA-Factory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.options import environment_options

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.llamafactory.template import TemplateStatus


@click.group()
def command() -> None:
    """Add the prompt template vanilla to LLaMA-Factory.

    vanilla is the prompt, the response and the end-of-text token, with nothing between them. LLaMA-Factory
    has it up to 0.6.2 only. w2s-factory train adds it to the processes it starts; to train with plain
    llamafactory-cli, install it once in each environment.

    \b
    Example:
      w2s-factory template install
      llamafactory-cli train generated.yaml
    """  # noqa: D301  click reads \b


@command.command()
@environment_options
def install(python: Path | None, llamafactory_cli: Path | None) -> None:
    """Put two small files into site-packages, which add vanilla. Installing it again changes nothing."""
    from w2s_factory.llamafactory.template import install_template

    click.echo(_status_text(install_template(python, llamafactory_cli=llamafactory_cli)))


@command.command()
@environment_options
def status(python: Path | None, llamafactory_cli: Path | None) -> None:
    """Show whether LLaMA-Factory knows vanilla, and from where."""
    from w2s_factory.llamafactory.template import template_status

    click.echo(_status_text(template_status(python, llamafactory_cli=llamafactory_cli)))


@command.command()
@environment_options
def uninstall(python: Path | None, llamafactory_cli: Path | None) -> None:
    """Remove the two files that install wrote."""
    from w2s_factory.llamafactory.template import uninstall_template

    removed = uninstall_template(python, llamafactory_cli=llamafactory_cli)
    for file in removed:
        click.echo(f"Removed {file}")
    if not removed:
        click.echo("Not installed: nothing to remove")


def _status_text(status: TemplateStatus) -> str:
    """Return a sentence on where vanilla comes from, or the command that installs it."""
    from w2s_factory.llamafactory.template import install_command

    factory = (
        f"LLaMA-Factory {status.llamafactory}" if status.llamafactory else "LLaMA-Factory (not installed)"
    )
    if status.built_in:
        return f"vanilla is known: it is built into {factory}"
    if not status.active:
        install = install_command(status.python)
        return f"vanilla is not known to {factory} of {status.python}. Next: {install}"
    where = f"installed in {status.site_packages}" if status.installed else "added by this shell's PYTHONPATH"
    known = "is known" if status.known else "will be known"
    old = (
        ""
        if status.current or not status.installed
        else " (by another version of w2s-factory; install again to update it)"
    )
    return f"vanilla {known} to {factory}, {where}{old}"
