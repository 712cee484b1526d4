"""`w2s-factory audit`: what is wrong in training and test data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from w2s_factory.release.audit import Audit


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--task", "task_name", metavar="NAME", help="The task of all files. [default: told by names and keys]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, folder: Path, task_name: str | None, as_json: bool) -> None:
    """Look for faults in training and test data below DIR.

    Splits, results, datasets, pairs and indexes are told by their keys; where names are as in the release,
    weak, icl and hybrid sets and pairs are held against each other. Exit code 1 if there is a fault.

    \b
    Examples:
      w2s-factory audit w2s-data
      w2s-factory audit w2s-data --json
    """  # noqa: D301  click reads \b
    from w2s_factory.release.audit import audit

    found = audit(folder, task=task_name)
    click.echo(_json(found) if as_json else tell_audit(found))
    ctx.exit(not found.clean)


def tell_audit(found: Audit) -> str:
    """The findings for people: by check, with what they mean."""
    lines: list[str] = []
    told = ""
    for finding in found.findings:
        if finding.check != told:
            told = finding.check
            colour = "red" if finding.fault else None
            lines += ["", click.style(finding.title, fg=colour, bold=True)]
            lines += [f"  consequence: {finding.consequence}", f"  here instead: {finding.instead}"]
        lines.append(f"  - {finding.where}: {finding.text}")
        lines += [f"      {example}" for example in finding.examples]
    lines += _sets(found)
    faults = found.faults
    kinds = len({finding.check for finding in faults})
    count = f"{_counted(len(faults), 'fault')} of {_counted(kinds, 'kind')}" if faults else "no faults"
    return "\n".join([*lines, "", *found.notes, f"{found.files} files looked at: {count}"]).lstrip("\n")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sets(found: Audit) -> list[str]:
    """The table of what each set of the pipeline holds."""
    if not found.statistics:
        return []
    import pandas as pd

    rows = [
        {
            "task": one.task,
            "weak model": one.weak,
            "set": one.kind,
            "questions": one.questions,
            "rows": one.rows,
            **{f"{side} right": share for side, share in one.accuracy.items()},
        }
        for one in found.statistics
    ]
    table = pd.DataFrame(rows).to_string(index=False, float_format=lambda share: f"{share:.1%}", na_rep="")
    return ["", click.style("What the sets hold", bold=True), *str(table).splitlines()]


def _json(found: Audit) -> str:
    import json

    return json.dumps(found.as_json(), indent=2)
