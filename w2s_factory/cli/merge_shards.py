"""`w2s-factory merge-shards`: the shards of a generation joined into one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import after_merging
from w2s_factory.cli.options import PATH

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("output_dir", type=PATH)
@option(
    "--here", is_flag=True, help="Merge only the shards of OUTPUT_DIR itself, not those of its subfolders."
)
@option("--force", is_flag=True, help="Overwrite files that have other content.")
def command(output_dir: Path, here: bool, force: bool) -> None:
    """Join the shards of a generation into one output.jsonl.

    OUTPUT_DIR is the --output-dir that generate --shard was given. Sampled responses in its subfolders
    (t1.0/seed0, ...) are merged too. Refuses shards that are missing, unfinished or from different runs,
    and questions that occur in two shards.

    \b
    Example:
      w2s-factory merge-shards DIR
    """  # noqa: D301  click reads \b
    from w2s_factory import generating

    files = generating.merge_shards(output_dir, here=here, force=force)
    for file in files:
        click.echo(f"Wrote {file}")
    after_merging(files)
