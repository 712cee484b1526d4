"""`w2s-factory report`: the HTML pages of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import print_next_sentence
from w2s_factory.cli.options import PATH

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@option(
    "--output",
    type=PATH,
    metavar="FILE.html",
    show_default="DIR/report.html",
    help="The page to write. Its figures and numbers go to the folder FILE next to it, and the pages of all "
    "responses to FILE_responses.",
)
@option("--force", is_flag=True, help="Overwrite files that were not written by report.")
def command(folder: Path, output: Path | None, force: bool) -> None:
    """Write the HTML report of a run.

    DIR is the folder that w2s-factory run wrote to; it contains contents.json. The page is one file that
    needs no network. Its figures (SVG) and numbers (CSV) are also written to a folder next to it. A second
    folder holds pages with every response of every model, which can be searched and filtered.

    \b
    Examples:
      w2s-factory report runs/arithmetic
      w2s-factory report runs/arithmetic --output report.html
    """  # noqa: D301  click reads \b
    from w2s_factory.experiment.report.report import report

    made = report(folder, output, force=force)
    click.echo(made.answer)
    if made.absent:
        click.echo(f"{made.absent} of the run's files do not exist yet; the page names them", err=True)
    responses = f", all responses in {made.responses.parent}/" if made.responses else ""
    click.echo(f"Wrote {made.page} (figures and numbers in {made.beside}/{responses})")
    print_next_sentence("open it in a browser")
