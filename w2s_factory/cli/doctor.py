"""`w2s-factory doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.llamafactory.doctor import Diagnosis

_COLOURS = {"fine": "green", "missing": "yellow", "broken": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
@click.option(
    "--python", type=click.Path(), metavar="PATH", help="Look at the environment of this interpreter."
)
@click.option(
    "--llamafactory-cli", type=click.Path(), metavar="PATH", help="Look at the environment of this command."
)
@click.pass_context
def command(
    context: click.Context, as_json: bool, python: Path | None, llamafactory_cli: Path | None
) -> None:
    """Say what is installed, what fits together, and the command that mends what does not.

    Exit code 1 if torch or LLaMA-Factory is not there or can't be imported, else 0: training works
    without a GPU, vLLM and an installed vanilla.

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
        if finding.mend:
            lines.append(f"{'':<{width}}           {click.style(finding.mend, bold=True)}")
    return "\n".join(lines)


def _as_json(findings: list[Diagnosis]) -> str:
    import json
    from dataclasses import asdict

    return json.dumps([asdict(finding) for finding in findings], indent=2)
