"""`w2s-factory doctor`: the state of an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.options import environment_options

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.llamafactory.doctor import Diagnosis

_COLOURS = {"fine": "green", "missing": "yellow", "broken": "red"}


@click.command()
@environment_options
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON list, with your home folder as ~, except in quoted paths.",
)
@click.pass_context
def command(
    context: click.Context, as_json: bool, python: Path | None, llamafactory_cli: Path | None
) -> None:
    """Check the installation, and print the commands that fix it.

    Checks Python, torch, LLaMA-Factory, its template vanilla, vLLM, bitsandbytes and the GPUs, and whether
    their versions fit together. Exit code 1 if torch or LLaMA-Factory is missing or cannot be imported; else
    0, because training works without the others.

    \b
    Example:
      w2s-factory doctor
    """  # noqa: D301  click reads \b
    from w2s_factory.llamafactory.doctor import diagnose

    findings = diagnose(python, llamafactory_cli=llamafactory_cli)
    click.echo(_as_json(findings) if as_json else _as_text(findings))
    context.exit(any(finding.state == "broken" for finding in findings))


def _as_text(findings: list[Diagnosis]) -> str:
    lines = []
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        state = click.style(f"{finding.state:<7}", fg=_COLOURS[finding.state])
        lines.append(f"{finding.subject:<{width}}  {state}  {finding.detail}")
        if finding.fix:
            lines.append(f"{'':<{width}}           {click.style(finding.fix, bold=True)}")
    return "\n".join(lines)


def _as_json(findings: list[Diagnosis]) -> str:
    """Return the findings as JSON, with the home folder as `~`, since they are made to be posted.

    Only a path at the beginning of a word is shortened, where a shell expands it again: not one in quotes.
    """
    import json
    import re
    from dataclasses import asdict
    from pathlib import Path

    home = re.compile(rf"(?<![^\s(=]){re.escape(str(Path.home()))}(?=/)")
    rows = [
        {key: home.sub("~", text) if text else text for key, text in asdict(finding).items()}
        for finding in findings
    ]
    return json.dumps(rows, indent=2)
