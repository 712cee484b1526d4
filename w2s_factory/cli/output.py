"""The lines commands print on their results; `next_steps.py` prints the command that comes next."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from w2s_factory.cli.next_steps import shown
from w2s_factory.cli.options import DASH
from w2s_factory.terminal import colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.building import Accuracy, Agreement, Built, Inputs, Padding, SelfTrainingCounts


def print_warning(text: str) -> None:
    """Print a warning on stderr, in yellow."""
    click.secho(f"warning: {text}", fg="yellow", err=True, color=colour())


def messages_to_stderr(output: object) -> bool:
    """Send what is printed from now on to stderr if the rows went to the standard output.

    Returns:
        Whether they did.
    """
    if output is None or str(output) != DASH:
        return False
    click.get_current_context().with_resource(_stdout_to_stderr())
    return True


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    with contextlib.redirect_stdout(sys.stderr):
        yield


def print_inputs(inputs: Inputs) -> None:
    """Print which files are read if none were named: those of a run, or the embedded example."""
    if not inputs.experiment and not inputs.embedded:
        return
    source = f"experiment {inputs.experiment}" if inputs.experiment else "embedded example"
    click.echo(f"No input files named: using those of the {source} (task {inputs.task.name})")
    for option, path in inputs.files.items():
        click.echo(f"  --{option}: {path}")
    if inputs.simulated:
        click.echo("  Its responses come from simulated solvers, not from models.")


def print_agreement(agreement: Agreement) -> None:
    """Print how many questions agree, and the accuracy of kept and dropped answers where gold is known."""
    kept, questions = agreement.kept, agreement.questions
    click.echo(f"weak and icl agree on {kept:,} of {questions:,} questions ({kept / questions:.1%})")
    print_limits(agreement.limits)
    parts = (agreement.weak_kept, agreement.icl_kept, agreement.weak_dropped, agreement.icl_dropped)
    if not any(part.known for part in parts):
        click.echo("  accuracy: unknown, the results have no field result")
        return
    for name, weak, icl in (("agree: ", *parts[:2]), ("differ:", *parts[2:])):
        both = accuracy_text(weak) if weak == icl else f"weak {accuracy_text(weak)}, icl {accuracy_text(icl)}"
        click.echo(f"  accuracy where they {name} {both}")


def print_limits(limits: int) -> None:
    """Print how many comparisons of answers were stopped, if any."""
    if limits:
        print_warning(
            f"{limits:,} comparisons of answers were stopped (after 5 seconds, or at the memory limit) and "
            "count as different"
        )


def print_padding(padding: Padding, agreement: Agreement) -> None:
    """Print a warning of the questions that padding adds to the sets."""
    added = padding.to - agreement.kept
    print_warning(
        f"padded to {padding.to:,} questions with {added:,} on which weak and icl disagree, drawn with seed "
        f"{padding.seed}. These are not the questions that pad the published sets: their draw cannot be "
        "reproduced"
    )


def print_self_training(counts: SelfTrainingCounts) -> None:
    """Print how many questions give a row of self-training, and why the others give none."""
    click.echo(f"{counts.rows:,} responses with the majority answer, of {counts.questions:,} questions")
    for reason, number in counts.skipped.items():
        click.echo(f"  questions skipped, {reason}: {number:,}")
    click.echo(f"  accuracy: {accuracy_text(counts.kept)}")


def print_datasets(datasets: Iterable[Built]) -> None:
    """Print the files of datasets: the rows, the training config, and the index that lists them."""
    for built in datasets:
        click.echo(f"Wrote {shown(built.file)} ({built.rows:,} rows, dataset {built.dataset})")
        if built.left_out:
            print_warning(
                f"{built.left_out:,} responses without an answer are left out: their thinking did not end, "
                "or their request failed"
            )
        if built.config is not None:
            click.echo(f"      {shown(built.config)} (trains on it)")
    if built.index is not None:
        click.echo(f"      {shown(built.index)} (lists the datasets)")


def accuracy_text(accuracy: Accuracy) -> str:
    """Return an accuracy in words, such as `75.0% of 1,000`; `unknown` if no gold is."""
    if accuracy.share is None:
        return "unknown"
    return f"{accuracy.share:.1%} of {accuracy.known:,}"
