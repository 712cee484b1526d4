"""`w2s-factory vote`: majority answers over sampled seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import after_vote
from w2s_factory.cli.options import (
    PATH,
    TASKS,
    extract_option,
    mode_option,
    reasoning_markers,
    reasoning_options,
)
from w2s_factory.cli.output import messages_to_stderr, print_limits, print_warning
from w2s_factory.folders import samples_in, seeds_in

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@option(
    "--input",
    "folder",
    required=True,
    type=PATH,
    metavar="DIR",
    help="The folder of the scored samples, with seed0/results.jsonl, ... or t1.0/seed0/results.jsonl, ...",
)
@option(
    "--output",
    required=True,
    type=PATH,
    metavar="FILE",
    help="The file of majority answers to write; - for stdout.",
)
@option(
    "--task",
    "task_name",
    metavar="NAME",
    show_default="answers are equal if their texts are",
    help=f"The task, which decides which answers are equal: {TASKS}.",
)
@extract_option(default="the answers in the results")
@reasoning_options(as_scored=True)
@mode_option(
    show_default="published with --extract, else as they were scored",
    help="How to compare answers that are found again: as in w2s-factory score.",
)
@option("--force", is_flag=True, help="Overwrite a file that has other content.")
def command(
    folder: Path,
    output: Path,
    task_name: str | None,
    extraction: str | None,
    reasoning_start: str | None,
    reasoning_end: str | None,
    mode: str | None,
    force: bool,
) -> None:
    """Find the majority answer to each question over all seeds.

    The confidence of a question is the share of its samples that give the majority answer. A tie goes to the
    answer of the lowest seed. A response without an answer counts as a vote for no answer, except where its
    thinking did not end or its request failed: then it does not vote.

    With --extract, --mode or markers of thinking, answers are found again in the responses, which needs
    --task. Without --extract, all seeds must have been scored in the same way. The verdicts of math-verify
    need results scored by it: only score reads the gold answers as they were written.

    \b
    Example:
      w2s-factory vote --input outputs/t1.0 --output majority_voting_results.jsonl
    """  # noqa: D301  click reads \b
    from w2s_factory.scoring.vote import vote
    from w2s_factory.tasks import get_task

    folder = samples_in(folder)
    summary = vote(
        folder,
        output,
        task=get_task(task_name) if task_name else None,
        extraction=extraction,
        mode=mode,
        markers=reasoning_markers(reasoning_start, reasoning_end),
        force=force,
    )
    rows_printed = messages_to_stderr(output)
    right = f"{summary.right}{'' if summary.known == summary.questions else f' of {summary.known}'}"
    click.echo(
        f"{summary.questions} questions, {summary.samples} samples each: majority right "
        f"{right if summary.known else 'unknown'}, without an answer {summary.empty}"
    )
    if summary.unanswered:
        click.echo(
            f"{summary.unanswered} samples did not vote: their thinking did not end or their request failed"
        )
    print_limits(summary.limits)
    if summary.missing:
        print_warning(f"seeds are missing in {folder} ({summary.missing}); the vote is over the others")
    if rows_printed:
        return
    click.echo(f"Wrote {output}")
    after_vote(task_name or _scored_as(folder), folder, output, summary.samples, known=bool(summary.known))


def _scored_as(folder: Path) -> str | None:
    """Return the task that the samples were scored as, if their scoring report names it."""
    from w2s_factory.errors import UserError
    from w2s_factory.records import read_object

    try:
        task = read_object(seeds_in(folder)[0] / "scoring_report.json").get("task")
    except UserError:
        return None
    return task if isinstance(task, str) else None
