"""`w2s-factory score`: are the answers right?"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
from click.core import ParameterSource

from w2s_factory.cli.numbers import number
from w2s_factory.cli.paths import say_on_stderr
from w2s_factory.scoring.answers import TIMEOUT, Timeout, Workers

_MODES = click.Choice(["published", "symbolic", "math-verify"])


@click.command()
@click.option(
    "--task", required=True, help="gsm8k, math, arithmetic, olympic_arena, or an installed package's own."
)
@click.option("--golds", required=True, type=click.Path(path_type=Path), help="The split in the test form.")
@click.option(
    "--input", "responses", required=True, type=click.Path(path_type=Path), help="output.jsonl, or results."
)
@click.option("--output", type=click.Path(path_type=Path), help="The results to write; - for stdout.")
@click.option("--mode", type=_MODES, default="published", show_default=True, help="How answers are compared.")
@click.option("--compare", metavar="MODE,MODE...", help="Print where these modes disagree; write nothing.")
@click.option(
    "--answers",
    type=click.Choice(["keyed", "any"]),
    default="keyed",
    show_default=True,
    help="keyed: behind the answer key, as published. any: the last number, in whatever format.",
)
@click.option("--answer-key", help="What precedes the final answer, if not the task's own.")
@click.option(
    "--timeout",
    type=number(Timeout),
    default=TIMEOUT,
    show_default=True,
    help="Seconds an answer.",
)
@click.option("--workers", type=number(Workers), help="Processes at once; by default one a core.")
@click.option("--partial", is_flag=True, help="Golds may be without a response.")
@click.option("--force", is_flag=True, help="Overwrite files that hold something else.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    task: str,
    golds: Path,
    responses: Path,
    output: Path | None,
    mode: str,
    compare: str | None,
    answers: str,
    answer_key: str | None,
    timeout: float,
    workers: int | None,
    partial: bool,
    force: bool,
) -> None:
    """Score a split's responses against its golds.

    \b
    published    the release's: equal text once normalised
    symbolic     the release's code with a working LaTeX parser (SymPy)
    math-verify  the Math-Verify library (pip install math-verify)

    Writes results, and beside them metrics.json and scoring_report.json. Example:

    \b
        w2s-factory score --task gsm8k --golds data/test/gsm8k_train_2.jsonl \\
            --input output.jsonl --output results.jsonl
    """  # noqa: D301  click needs the character
    if compare:
        _refuse_unread(ctx)
        if answers == "any":
            raise click.UsageError("--compare compares modes; it takes --answers keyed only.")
        from w2s_factory.tasks.scored import compare_modes

        modes = [name.strip() for name in compare.split(",")]
        found = compare_modes(
            task,
            golds,
            responses,
            modes,
            answer_key=answer_key,
            timeout=timeout,
            workers=workers,
            partial=partial,
        )
        click.echo(found.table())
        return
    if output is None:
        raise click.UsageError("Missing option '--output'.")
    from w2s_factory.tasks.scored import score

    summary = score(
        task,
        golds,
        responses,
        output,
        mode,
        answer_key=answer_key,
        any_format=answers == "any",
        timeout=timeout,
        workers=workers,
        partial=partial,
        force=force,
    )
    printed = say_on_stderr(output)
    right = (
        ""
        if summary.accuracy is None
        else f"{summary.right} of {summary.known} right ({summary.accuracy:.2%})"
    )
    click.echo(f"{right or 'no gold is known'}{_way(mode, answers)}")
    if 0 < summary.known < summary.rows:
        click.echo(f"{summary.rows - summary.known} of unknown gold not counted")
    if summary.empty:
        click.echo(f"{summary.empty} without a final answer")
    for limit, count in summary.limits.items():
        click.echo(f"{count} wrong because of a limit ({limit}): see scoring_report.json")
    if printed:
        return
    following = ["evaluate", str(output)] if summary.known else _without_golds(task, output)
    said = shlex.join(["w2s-factory", *following])
    click.echo(f"Wrote {output}, metrics.json, scoring_report.json. Next: {said}")


def _without_golds(task: str, output: Path) -> list[str]:
    """What can be done with answers that have no verdict: a vote over samples, or else Stage I."""
    if re.fullmatch("seed[0-9]+", output.absolute().parent.name):
        samples = str(output.parent.parent)
        return ["vote", "--task", task, "--input", samples, "--output", "majority_voting_results.jsonl"]
    return ["build-data", "--stage", "1", "--task", task, "--weak", "WEAK_RESULTS", "--icl", "ICL_RESULTS"]


def _refuse_unread(ctx: click.Context) -> None:
    """Comparing names its modes itself, and writes nothing."""
    for name in ("output", "mode", "force"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--compare names modes and writes nothing: it goes without --{name}.")


def _way(mode: str, answers: str) -> str:
    return f", mode {mode}" + (", answers in any format" if answers == "any" else "")
