"""`w2s-factory fetch`: benchmarks from the hub, the published release from its repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import print_next_sentence
from w2s_factory.cli.options import PATH

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("source", metavar="SOURCE")
@option(
    "--from",
    "origin",
    metavar="WHERE",
    show_default="where SOURCE is published",
    help="Another place to fetch from: a URL, a name on the Hugging Face Hub, or a local folder.",
)
@option(
    "--output-dir",
    type=PATH,
    required=True,
    metavar="DIR",
    help="The folder to write to.",
)
@option("--force", is_flag=True, help="Overwrite files that have other content.")
def command(source: str, origin: str | None, output_dir: Path, force: bool) -> None:
    """Download a benchmark, or the paper's published release.

    SOURCE is release, gsm8k, math or olympic_arena. The release is cloned with git, at the commit that this
    version knows. Benchmarks come from the Hugging Face Hub and are written under the release's
    file names and in its formats, so generate reads them with --release DIR.

    \b
    Examples:
      w2s-factory fetch release --output-dir DIR
      w2s-factory fetch release --from path/to/a/clone --output-dir DIR
      w2s-factory fetch gsm8k --output-dir DIR
      w2s-factory fetch olympic_arena --from FOLDER --output-dir DIR
    """  # noqa: D301  click reads \b
    from w2s_factory.release import fetch

    fetched = fetch(source, output_dir, origin=origin, force=force)
    for note in fetched.notes:
        click.echo(note, err=True)
    for path, rows in fetched.files.items():
        click.echo(f"Wrote {path} ({rows:,} rows)")
    if not fetched.files:
        click.echo(f"The release is in {fetched.folder}")
    if fetched.hint:
        print_next_sentence(fetched.hint)
