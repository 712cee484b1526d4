"""`w2s-factory template`: LLaMA-Factory's templates: adding vanilla, comparing one, writing one as Jinja."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.options import environment_options

if TYPE_CHECKING:
    from w2s_factory.chat import Thinking
    from w2s_factory.llamafactory.template import TemplateStatus
    from w2s_factory.llamafactory.template_parity import TemplateComparison


@click.group()
def command() -> None:
    """Compare prompt templates with chat templates; add vanilla.

    vanilla is the prompt, the response and the end-of-text token, with nothing between them. LLaMA-Factory
    has it up to 0.6.2 only. w2s-factory train adds it to the processes it starts; to train with plain
    llamafactory-cli, install it once in each environment.

    A model must be asked in the format that it was trained in: check compares the two token by token, and
    jinja writes the format of a template as a chat template for generate --chat FILE.

    \b
    Example:
      w2s-factory template install
      w2s-factory template check --template qwen3 --model Qwen3-8B
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


@command.command()
@option("--template", required=True, metavar="NAME", help="The template that the training YAML names.")
@option("--model", required=True, metavar="PATH", help="The model's folder, of which the tokenizer is used.")
@option(
    "--thinking", type=click.Choice(["on", "off", "auto"]), default="auto", show_default=True,
    help="Whether the model is to think, in training (enable_thinking) and in generation. auto leaves it to "
    "the chat template, and to LLaMA-Factory, whose default is true.",
)  # fmt: skip
@option(
    "--chat", metavar="FILE", show_default="the one of the tokenizer",
    help="A file with the chat template, in Jinja.",
)  # fmt: skip
@environment_options
@click.pass_context
def check(
    context: click.Context,
    template: str,
    model: str,
    thinking: Thinking,
    chat: str | None,
    python: Path | None,
    llamafactory_cli: Path | None,
) -> None:
    """Compare what a template trains with what generate asks, token by token.

    Four conversations are encoded by LLaMA-Factory's own code, and in the way of generate: of one and three
    turns, with and without a system prompt; prompts as well as the labels that are trained. The exit code is
    0 if all tokens are equal, and 1 if there is a difference.
    """
    from w2s_factory.llamafactory.template_parity import check_template

    found = check_template(
        template,
        model,
        thinking=thinking,
        chat="auto" if chat is None else Path(chat),
        python=python,
        llamafactory_cli=llamafactory_cli,
    )
    click.echo(_comparison_text(found))
    context.exit(not found.equal)


@command.command()
@click.argument("name")
@option(
    "--model", metavar="PATH", show_default="variables of the chat template",
    help="A model's folder, of which the BOS and EOS tokens are written into the chat template.",
)  # fmt: skip
@option("--output", type=Path, metavar="FILE", show_default="the standard output", help="The file to write.")
@option("--force", is_flag=True, help="Overwrite a file that has other content.")
@environment_options
def jinja(
    name: str,
    model: str | None,
    output: Path | None,
    force: bool,
    python: Path | None,
    llamafactory_cli: Path | None,
) -> None:
    """Write the format of LLaMA-Factory's template NAME as a Jinja chat template, for generate --chat."""
    from w2s_factory.llamafactory.jinja_template import template_jinja, write_template_jinja

    if output is None:
        text = template_jinja(name, model=model, python=python, llamafactory_cli=llamafactory_cli)
        click.echo(text, nl=False)
        return
    write_template_jinja(
        name, output, model=model, force=force, python=python, llamafactory_cli=llamafactory_cli
    )
    click.echo(f"Wrote {output}")


def _comparison_text(found: TemplateComparison) -> str:
    """Return the result of a comparison, with a line for each conversation that was not compared."""
    what = f"template {found.template} and the chat template in {found.chat} (thinking {found.thinking})"
    compared = f"{len(found.compared)} conversation{'s' if len(found.compared) > 1 else ''}"
    result = f"equal: {what}, in {compared}" if found.equal else f"different: {what}\n  {found.difference}"
    return "\n".join([result, *(f"  not compared: {name}: {why}" for name, why in found.refused.items())])


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
