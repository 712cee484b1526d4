"""`w2s-factory template`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from w2s_factory.llamafactory.template import TemplateStatus


def _environment(function: Callable[..., Any]) -> Callable[..., Any]:
    """The two options that name an environment."""
    for option, meaning in (
        ("--llamafactory-cli", "Its llamafactory-cli, another way to name it."),
        ("--python", "The environment's interpreter. Without it: the current environment."),
    ):
        function = click.option(option, type=click.Path(), metavar="PATH", help=meaning)(function)
    return function


@click.group()
def command() -> None:
    """Make the template vanilla known to an installed LLaMA-Factory, say whether it is, undo it.

    LLaMA-Factory had vanilla (prompt, response, EOS, nothing else) up to 0.6.2. `w2s-factory train` brings
    it along; plain `llamafactory-cli train` needs it installed, once for each environment.

    \b
    Example:
        w2s-factory template install
        llamafactory-cli train generated.yaml
    """  # noqa: D301  click reads \b


@command.command()
@_environment
def install(python: Path | None, llamafactory_cli: Path | None) -> None:
    """Put two small files into the environment's site-packages. Doing it again changes nothing."""
    from w2s_factory.llamafactory.template import install_template

    click.echo(_told(install_template(python, llamafactory_cli=llamafactory_cli)))


@command.command()
@_environment
def status(python: Path | None, llamafactory_cli: Path | None) -> None:
    """Say whether the environment's LLaMA-Factory knows vanilla, and from where."""
    from w2s_factory.llamafactory.template import template_status

    click.echo(_told(template_status(python, llamafactory_cli=llamafactory_cli)))


@command.command()
@_environment
def uninstall(python: Path | None, llamafactory_cli: Path | None) -> None:
    """Remove the two files."""
    from w2s_factory.llamafactory.template import uninstall_template

    removed = uninstall_template(python, llamafactory_cli=llamafactory_cli)
    for file in removed:
        click.echo(f"Removed {file}")
    if not removed:
        click.echo("Not installed; nothing to remove")


def _told(status: TemplateStatus) -> str:
    from w2s_factory.llamafactory.template import install_command

    factory = (
        f"LLaMA-Factory {status.llamafactory}" if status.llamafactory else "LLaMA-Factory (not installed)"
    )
    if status.built_in:
        return f"vanilla is known: {factory} has it built in"
    if not status.active:
        return f"vanilla is not known to {factory} of {status.python}. Next: {install_command(status.python)}"
    where = f"installed in {status.site_packages}" if status.installed else "by the PYTHONPATH of this shell"
    known = "is known" if status.known else "will be known"
    old = "" if status.current or not status.installed else " (by another version; install again to renew)"
    return f"vanilla {known} to {factory}, {where}{old}"
