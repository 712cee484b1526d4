"""`w2s-factory status`: what a run has done, does and has yet to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.options import PATH

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("folder", metavar="RUN", type=PATH)
@option("--json", "as_json", is_flag=True, help="Print the status as a JSON object instead of text.")
def command(folder: Path, as_json: bool) -> None:
    """Show a run's steps, their progress and the time left.

    RUN is the folder that w2s-factory run works in or has worked in, on this machine or another one. The
    status is read from its files; a run that is active is not disturbed. On a terminal, steps for which there
    is no room are counted, and lines are cut at its width; elsewhere all steps are printed in whole lines.
    Remaining times follow from what this run itself has measured.

    \b
    Examples:
      w2s-factory status runs/arithmetic
      w2s-factory status runs/arithmetic --json
    """  # noqa: D301  click reads \b
    from w2s_factory.experiment.status import read_status

    status = read_status(folder)
    if as_json:
        import orjson

        click.echo(orjson.dumps(status.as_dict(), option=orjson.OPT_INDENT_2).decode())
        return
    from w2s_factory.experiment.status_view import print_status

    print_status(status)
