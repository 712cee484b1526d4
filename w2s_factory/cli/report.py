"""`w2s-factory report`: one page on a run."""

from __future__ import annotations

from pathlib import Path

import click

from w2s_factory.cli.next_steps import tell_missing


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="The page; its figures and numbers go to the folder FILE beside it. [default: DIR/report.html]",
)
@click.option("--force", is_flag=True, help="Overwrite files that no report has written.")
def command(folder: Path, output: Path | None, force: bool) -> None:
    """Write the report of a run: one HTML page, its figures and numbers beside it.

    DIR is the folder of a run, with its contents.json. The page needs nothing else and no network.

    \b
    Examples:
      w2s-factory report runs/arithmetic
      w2s-factory report runs/arithmetic --output report.html
    """  # noqa: D301  click reads \b
    from w2s_factory.experiment.report.report import report

    made = report(folder, output, force=force)
    click.echo(made.answer)
    if made.absent:
        click.echo(f"not there yet: {made.absent} of the run's files; the page names them", err=True)
    click.echo(f"wrote {made.page} (figures and numbers in {made.beside}/)")
    tell_missing("open it in a browser")
