"""`w2s-factory audit`: faults in training and test data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.options import PATH, TASKS

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.release.audit import Audit


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@option(
    "--task",
    "task_name",
    metavar="NAME",
    show_default="found from file names and fields",
    help=f"The task that all files belong to: {TASKS}.",
)
@option("--json", "as_json", is_flag=True, help="Print the findings as JSON instead of text.")
@click.pass_context
def command(ctx: click.Context, folder: Path, task_name: str | None, as_json: bool) -> None:
    """Look for faults in training and test data.

    Checks all files in DIR and its subfolders. Splits, results, datasets, pairs and indexes are recognised
    by their fields. Files named as in the published release are also compared with each other, such as the
    hybrid set with the weak and the icl set. Exit code 1 if a fault is found.

    \b
    Examples:
      w2s-factory audit w2s-data
      w2s-factory audit w2s-data --json
    """  # noqa: D301  click reads \b
    from w2s_factory.release.audit import audit

    found = audit(folder, task=task_name)
    click.echo(_json(found) if as_json else audit_text(found))
    ctx.exit(not found.clean)


def audit_text(found: Audit) -> str:
    """Return the findings as text: by check, each with what it means."""
    lines: list[str] = []
    check = ""
    for finding in found.findings:
        if finding.check != check:
            check = finding.check
            colour = "red" if finding.fault else None
            lines += ["", click.style(finding.title, fg=colour, bold=True)]
            lines += [f"  consequence: {finding.consequence}", f"  what this package does: {finding.instead}"]
        lines.append(f"  - {finding.where}: {finding.text}")
        lines += [f"      {example}" for example in finding.examples]
    lines += _sets(found)
    faults = found.faults
    kinds = len({finding.check for finding in faults})
    count = f"{_counted(len(faults), 'fault')} of {_counted(kinds, 'kind')}" if faults else "no faults"
    return "\n".join([*lines, "", *found.notes, f"{found.files} files checked: {count}"]).lstrip("\n")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sets(found: Audit) -> list[str]:
    """Return the lines of a table: questions, rows and accuracy of each set."""
    if not found.statistics:
        return []
    import pandas as pd

    rows = [
        {
            "task": row.task,
            "weak model": row.weak,
            "set": row.kind,
            "questions": row.questions,
            "rows": row.rows,
            **{f"{side} right": share for side, share in row.accuracy.items()},
        }
        for row in found.statistics
    ]
    table = pd.DataFrame(rows).to_string(index=False, float_format=lambda share: f"{share:.1%}", na_rep="")
    return ["", click.style("Contents of the sets", bold=True), *str(table).splitlines()]


def _json(found: Audit) -> str:
    import json

    return json.dumps(found.as_json(), indent=2)
