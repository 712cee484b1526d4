"""The output of `build-data`: what it read, found and wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.next_steps import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from w2s_factory.building import Accuracy, Agreement, Built, Inputs, Padding


def warn(text: str) -> None:
    """Print a warning on stderr, in yellow."""
    click.secho(f"warning: {text}", fg="yellow", err=True)


def tell_inputs(inputs: Inputs) -> None:
    """Say so where a run, or the embedded example, stands in for named files."""
    if inputs.experiment or inputs.embedded:
        run = inputs.experiment
        taken = f"those of the experiment {run}" if run else "the embedded example"
        click.echo(f"no inputs named: taking {taken} (task {inputs.task.name})")
        for option, path in inputs.files.items():
            click.echo(f"  {option}: {path}")
        if inputs.simulated:
            click.echo("  its weak and icl responses come from simulated solvers, not from models")


def tell_stage1(agreement: Agreement) -> None:
    """How many agree, and how right the kept and the dropped are where gold is known."""
    kept, questions = agreement.kept, agreement.questions
    click.echo(f"weak and icl agree on {kept:,} of {questions:,} questions ({kept / questions:.1%})")
    tell_limits(agreement.limits)
    parts = (agreement.weak_kept, agreement.icl_kept, agreement.weak_dropped, agreement.icl_dropped)
    if not any(part.known for part in parts):
        click.echo("  accuracy: not known, the results have no `result`")
        return
    for name, weak, icl in (("agree: ", *parts[:2]), ("differ:", *parts[2:])):
        both = share(weak) if weak == icl else f"weak {share(weak)}, icl {share(icl)}"
        click.echo(f"  accuracy where they {name} {both}")


def tell_limits(limits: int) -> None:
    """Say how many comparisons of answers were given up."""
    if limits:
        warn(f"{limits:,} comparisons ended by a limit (5 seconds, memory) count as different")


def tell_padding(padding: Padding, agreement: Agreement) -> None:
    """Warn of what padding puts into the sets."""
    added = padding.to - agreement.kept
    warn(
        f"padded to {padding.to:,} questions with {added:,} on which weak and icl disagree, "
        f"drawn with seed {padding.seed}; which ones pad the release's sets is not reproducible"
    )


def tell_built(built: Iterable[Built]) -> None:
    """The files written."""
    for one in built:
        click.echo(f"wrote {shown(one.file)} ({one.rows:,} rows, dataset {one.dataset})")
        if one.config is not None:
            click.echo(f"      {shown(one.config)}")
    if one.index is not None:
        click.echo(f"index {shown(one.index)}")


def share(accuracy: Accuracy) -> str:
    """An accuracy in words; `not known` where no gold is."""
    if accuracy.share is None:
        return "not known"
    return f"{accuracy.share:.1%} of {accuracy.known:,}"
