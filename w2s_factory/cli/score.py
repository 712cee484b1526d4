"""`w2s-factory score`: are the answers right?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from w2s_factory.cli.next_steps import after_scoring
from w2s_factory.cli.numbers import number
from w2s_factory.cli.paths import DASH, say_on_stderr
from w2s_factory.cli.telling import warn
from w2s_factory.errors import UserError
from w2s_factory.folders import OUTPUT, RESULTS, samples_in, seeds_in
from w2s_factory.quantities import TIMEOUT, Timeout, Workers

if TYPE_CHECKING:
    from w2s_factory.scoring.score import ScoreSummary

_MODES = click.Choice(["published", "symbolic", "math-verify"])


@click.command()
@click.option(
    "--task", required=True, help="gsm8k, math, arithmetic, olympic_arena, or an installed package's own."
)
@click.option(
    "--golds",
    required=True,
    type=click.Path(path_type=Path),
    help="The split in the test form, or the file of questions that generate was given.",
)
@click.option(
    "--input",
    "responses",
    required=True,
    type=click.Path(path_type=Path),
    help="output.jsonl, results, or the folder that generate wrote to.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The results to write; - for stdout. [default with a folder: results.jsonl in it]",
)
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

    Writes results, and beside them metrics.json and scoring_report.json. Of a folder of samples every seed
    is scored. Questions without an answer get their final answers and no verdict. Examples:

    \b
        w2s-factory score --task gsm8k --golds data/test/gsm8k_train_2.jsonl --input outputs/t1.0
        w2s-factory score --task gsm8k --golds data/test/gsm8k_train_2.jsonl \\
            --input output.jsonl --output results.jsonl
    """  # noqa: D301  click needs the character
    if compare:
        _refuse_unread(ctx)
        if answers == "any":
            raise click.UsageError("--compare compares modes; it takes --answers keyed only.")
        from w2s_factory.scoring.mode_comparison import compare_modes

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
    from w2s_factory.scoring.score import score
    from w2s_factory.tasks import get_task

    files = _files(responses, output)
    several = len(files) > 1
    known = printed = False
    for path, results in files:
        summary = score(
            task,
            golds,
            path,
            results,
            mode,
            answer_key=answer_key,
            any_format=answers == "any",
            timeout=timeout,
            workers=workers,
            partial=partial,
            force=force,
        )
        printed = say_on_stderr(results)
        _tell(summary, mode, answers, f"{results.parent.name}: " if several else "")
        known = known or bool(summary.known)
    if not known:
        click.echo(f"no gold is known in {golds}: there are final answers and no verdicts")
    if printed:
        return
    written = f"{RESULTS} for {len(files)} seeds in {files[0][1].parent.parent}" if several else files[0][1]
    click.echo(f"Wrote {written}, metrics.json, scoring_report.json")
    after_scoring(get_task(task), golds, [results for _, results in files], known=known)


def _files(responses: Path, output: Path | None) -> list[tuple[Path, Path]]:
    """Return each file of responses with that of its results.

    Of a folder these are its `output.jsonl`, or those of the seeds in it; results are beside them, or below
    the folder that --output names.

    Raises:
        UserError: The folder holds neither, or both.
    """
    if not responses.is_dir():
        if output is None:
            raise click.UsageError("Missing option '--output'.")
        return [(responses, output)]
    samples = samples_in(responses)
    seeds = seeds_in(samples)
    if not seeds:
        file = responses / OUTPUT
        if not file.is_file():
            hint = "w2s-factory generate writes it into its --output-dir"
            raise UserError(f"is a folder without {OUTPUT} and without seed0, ...", file=responses, hint=hint)
        return [(file, output or file.with_name(RESULTS))]
    if str(output) == DASH:
        raise UserError(
            "- takes the results of one seed", field="--output", hint=f"Name it: {seeds[0] / OUTPUT}"
        )
    if (responses / OUTPUT).is_file():
        problem = f"holds both greedy responses ({OUTPUT}) and samples ({samples.name})"
        raise UserError(problem, file=responses, hint=f"Name one: {responses / OUTPUT} or {samples}")
    unfinished = [seed.name for seed in seeds if not (seed / OUTPUT).is_file()]
    if unfinished:
        warn(f"{', '.join(unfinished)} in {samples} without {OUTPUT}, left out")
    found = [seed for seed in seeds if seed.name not in unfinished]
    if not found:
        raise UserError(f"no seed here has its {OUTPUT} yet", file=samples)
    return [(seed / OUTPUT, (output or samples) / seed.name / RESULTS) for seed in found]


def _tell(summary: ScoreSummary, mode: str, answers: str, name: str) -> None:
    """Print what became of one file of responses."""
    counted = f"{summary.right} of {summary.known} right"
    right = "no gold is known" if summary.accuracy is None else f"{counted} ({summary.accuracy:.2%})"
    click.echo(f"{name}{right}{_way(mode, answers)}")
    if 0 < summary.known < summary.rows:
        click.echo(f"{name}{summary.rows - summary.known} of unknown gold not counted")
    if summary.empty:
        click.echo(f"{name}{summary.empty} without a final answer")
    for limit, count in summary.limits.items():
        click.echo(f"{name}{count} wrong because of a limit ({limit}): see scoring_report.json")


def _refuse_unread(ctx: click.Context) -> None:
    """Comparing names its modes itself, and writes nothing."""
    for name in ("output", "mode", "force"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--compare names modes and writes nothing: it goes without --{name}.")


def _way(mode: str, answers: str) -> str:
    return f", mode {mode}" + (", answers in any format" if answers == "any" else "")
