"""`w2s-factory merge-shards`: join what the shards of a generation wrote."""

from __future__ import annotations

from pathlib import Path

import click

from w2s_factory.cli.next_steps import after_merging


@click.command()
@click.argument("output_dir", type=click.Path(path_type=Path))
@click.option(
    "--here", is_flag=True, help="Only the shards of DIR itself, not of folders below (t1.0/seed0)."
)
@click.option("--force", is_flag=True, help="Overwrite files that hold something else.")
def command(output_dir: Path, here: bool, force: bool) -> None:
    """Join the shards of a generation into its output.jsonl.

    OUTPUT_DIR is what `generate --shard` was given. Refuses missing and unfinished shards, shards of
    different runs, and questions that stand in two.

    \b
    Example:
      w2s-factory merge-shards DIR
    """  # noqa: D301  click reads \b
    from w2s_factory import generating

    files = generating.merge_shards(output_dir, here=here, force=force)
    for file in files:
        click.echo(f"wrote {file}")
    after_merging(files)
