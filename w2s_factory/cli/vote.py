"""`w2s-factory vote`: majority answers over sampled seeds."""

from __future__ import annotations

import shlex
from pathlib import Path

import click


@click.command()
@click.option(
    "--input", "folder", required=True, type=click.Path(path_type=Path), help="Holds seed0/results.jsonl, ..."
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The majority file to write.")
@click.option("--force", is_flag=True, help="Overwrite a file that holds something else.")
def command(folder: Path, output: Path, force: bool) -> None:
    """Find the majority answer of each question over all seeds.

    Its share is the confidence. Ties go to the answer of the lowest seed; missing answers count. Example:

    \b
        w2s-factory vote --input outputs/t1.0 --output majority_voting_results.jsonl
    """  # noqa: D301  click needs the character
    from w2s_factory.scoring.majority import vote

    summary = vote(folder, output, force=force)
    click.echo(
        f"{summary.questions} questions, {summary.samples} samples each: majority right {summary.right}, "
        f"without an answer {summary.empty}"
    )
    following = ["w2s-factory", "evaluate", "--pass-at", str(summary.samples), str(folder)]
    click.echo(f"Wrote {output}. Next: {shlex.join(following)}")
