"""What `build-data` prints: what it read, what it found, what it wrote, what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from w2s_factory.building import Accuracy, Agreement, Built, Inputs


def tell_inputs(inputs: Inputs) -> None:
    """Say so where the embedded example stands in for named files."""
    if inputs.embedded:
        click.echo(f"no inputs named: taking the embedded example (task {inputs.task.name})")
        for option, path in inputs.files.items():
            click.echo(f"  {option}: {path}")
        click.echo("  its weak and icl responses come from simulated solvers, not from models")


def tell_stage1(agreement: Agreement) -> None:
    """How many agree, and how right the kept and the dropped are where gold is known."""
    kept, questions = agreement.kept, agreement.questions
    click.echo(f"weak and icl agree on {kept:,} of {questions:,} questions ({kept / questions:.1%})")
    if agreement.weak_kept.known:
        click.echo(f"  accuracy where they agree:  {share(agreement.weak_kept)}")
        dropped = f"weak {share(agreement.weak_dropped)}, icl {share(agreement.icl_dropped)}"
        click.echo(f"  accuracy where they differ: {dropped}")
    else:
        click.echo("  accuracy: not known, the results have no gold")


def tell_built(built: Iterable[Built]) -> None:
    """The files written."""
    for one in built:
        click.echo(f"wrote {shown(one.file)} ({one.rows:,} rows, dataset {one.dataset})")
        if one.config is not None:
            click.echo(f"      {shown(one.config)}")
    click.echo(f"index {shown(one.index)}")


def tell_next(built: Built) -> None:
    """The command that follows."""
    if built.config is None:
        click.echo("no training config: name the model to train with --model")
    else:
        click.echo(f"next: w2s-factory train {shown(built.config)}")


def shown(path: Path) -> Path:
    """A path as a user types it: relative to the working folder if it lies below that."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def share(accuracy: Accuracy) -> str:
    """An accuracy in words; `none` where there is nothing to be right about."""
    if accuracy.share is None:
        return "none"
    return f"{accuracy.share:.1%} of {accuracy.known:,}"
