"""`w2s-factory fetch`: benchmarks from the hub, the release from its repository."""

from __future__ import annotations

from pathlib import Path

import click

from w2s_factory.cli.next_steps import tell_missing


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option(
    "--from", "origin", metavar="WHERE", help="A URL, hub name or folder. [default: the source's own]"
)
@click.option(
    "--output-dir", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The folder to fill."
)
@click.option("--force", is_flag=True, help="Replace files that hold something else.")
def command(source: str, origin: str | None, output_dir: Path, force: bool) -> None:
    """Fetch GSM8K, MATH or OlympicArena from the hub, or the published release from its repository.

    SOURCE is release, gsm8k, math or olympic_arena. The release is cloned by git at its known commit.
    Benchmarks are written in the release's forms under its paths, so that DIR serves as `--release DIR`
    elsewhere.

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
        click.echo(f"wrote {path} ({rows:,} rows)")
    if not fetched.files:
        click.echo(f"{fetched.folder} holds the release")
    if fetched.hint:
        tell_missing(fetched.hint)
