"""`w2s-factory vote`: majority answers over sampled seeds."""

from __future__ import annotations

from pathlib import Path

import click

from w2s_factory.cli.next_steps import after_vote
from w2s_factory.cli.paths import say_on_stderr
from w2s_factory.cli.telling import tell_limits, warn
from w2s_factory.folders import samples_in, seeds_in


@click.command()
@click.option(
    "--input",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Holds seed0/results.jsonl, ..., or t1.0/seed0/...: what generate wrote, scored.",
)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The majority file to write; - for stdout.",
)
@click.option(
    "--task",
    "task_name",
    metavar="NAME",
    help="Says which answers are equal; without it, those of equal text.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that holds something else.")
def command(folder: Path, output: Path, task_name: str | None, force: bool) -> None:
    """Find the majority answer of each question over all seeds.

    Its share is the confidence. Ties go to the answer of the lowest seed; missing answers count. Example:

    \b
        w2s-factory vote --input outputs/t1.0 --output majority_voting_results.jsonl
    """  # noqa: D301  click needs the character
    from w2s_factory.scoring.vote import vote
    from w2s_factory.tasks import get_task

    folder = samples_in(folder)
    summary = vote(folder, output, task=get_task(task_name) if task_name else None, force=force)
    printed = say_on_stderr(output)
    right = f"{summary.right}{'' if summary.known == summary.questions else f' of {summary.known}'}"
    click.echo(
        f"{summary.questions} questions, {summary.samples} samples each: majority right "
        f"{right if summary.known else 'not known'}, without an answer {summary.empty}"
    )
    tell_limits(summary.limits)
    if summary.missing:
        warn(f"seeds are missing in {folder} ({summary.missing}); the vote is over the others")
    if printed:
        return
    click.echo(f"Wrote {output}")
    after_vote(task_name or _scored_as(folder), folder, output, summary.samples, known=bool(summary.known))


def _scored_as(folder: Path) -> str | None:
    """Return the task the samples were scored as, if the report beside them says so."""
    from w2s_factory.errors import UserError
    from w2s_factory.records import read_object

    try:
        task = read_object(seeds_in(folder)[0] / "scoring_report.json").get("task")
    except UserError:
        return None
    return task if isinstance(task, str) else None
