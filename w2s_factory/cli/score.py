"""`w2s-factory score`: verdicts on a file of responses, or on each seed in a folder of samples."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from w2s_factory.cli.help import HeadedCommand, heading, option
from w2s_factory.cli.next_steps import after_scoring
from w2s_factory.cli.options import (
    DASH,
    PATH,
    TASKS,
    extract_option,
    is_given,
    mode_option,
    number,
    reasoning_markers,
    reasoning_options,
)
from w2s_factory.cli.output import messages_to_stderr, print_warning
from w2s_factory.errors import UserError
from w2s_factory.folders import OUTPUT, RESULTS, samples_in, seeds_in
from w2s_factory.quantities import TIMEOUT, Timeout, Workers

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.scoring.score import ScoreSummary

_files = heading("Input and output")
_answers = heading("Finding the final answer")
_comparison = heading("Comparing it with the gold answer")


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """The options of `score`, by the names of their parameters; their help says what they mean."""

    task: str
    golds: Path
    responses: Path
    output: Path | None
    mode: str
    answers: str
    answer_key: str | None
    extraction: str | None
    reasoning_start: str | None
    reasoning_end: str | None
    reasoning_optional: bool
    timeout: float
    workers: int | None
    partial: bool
    force: bool


@click.command(cls=HeadedCommand)
@_files("--task", required=True, metavar="NAME", help=f"The task: {TASKS}.")
@_files(
    "--golds", required=True, type=PATH, metavar="FILE",
    help="The test file of the split, with its gold answers; or the file of questions given to generate.",
)  # fmt: skip
@_files(
    "--input", "responses", required=True, type=PATH, metavar="FILE",
    help="The responses (output.jsonl or results.jsonl), or the folder that generate wrote to.",
)  # fmt: skip
@_files(
    "--output", type=PATH, metavar="FILE", show_default="for a folder: next to each output.jsonl",
    help="The results file to write; - for stdout. For samples: the folder for seed0/results.jsonl, ...",
)  # fmt: skip
@_files("--partial", is_flag=True, help="Allow questions in --golds that have no response.")
@_answers(
    "--answers", type=click.Choice(["keyed", "any"]), default="keyed", show_default=True,
    help="keyed: the text after the answer key, as published. any: the last number, in any format.",
)  # fmt: skip
@_answers(
    "--answer-key", metavar="TEXT", show_default="the task's, such as ####",
    help="The text that precedes the final answer.",
)  # fmt: skip
@extract_option(_answers)
@reasoning_options(_answers)
@_answers(
    "--reasoning-optional", is_flag=True,
    help="Only warn if no response has the texts of --reasoning-start and --reasoning-end: the model may not "
    "think.",
)  # fmt: skip
@mode_option(_comparison, default="published", show_default=True, help="How to compare: see above.")
@_comparison(
    "--compare", metavar="MODE,MODE...",
    help="Score in each of these modes, print the responses on which they disagree, and write nothing.",
)  # fmt: skip
@_comparison(
    "--timeout", type=number(Timeout), default=TIMEOUT, show_default=True,
    help="Seconds for the comparison of one answer; after that, the answer counts as wrong.",
)  # fmt: skip
@_comparison(
    "--workers", type=number(Workers), metavar="N", show_default="one per core",
    help="The number of processes that compare answers.",
)  # fmt: skip
@option("--force", is_flag=True, help="Overwrite files that have other content.")
def command(compare: str | None, **options: Any) -> None:
    """Score responses against gold answers.

    Extracts the final answer of each response and compares it with the gold answer, in one of these modes:

    \b
      published    as in the published release: equal text after normalisation
      symbolic     the release's code with a working LaTeX parser (SymPy)
      math-verify  the Math-Verify library (extra math-verify)

    Writes the results and, next to them, metrics.json (the accuracy) and scoring_report.json. If --input is
    a folder of samples, all its seeds are scored. Where the gold answer is unknown, results have a final
    answer but no verdict.

    \b
    Examples:
      w2s-factory score --task gsm8k --golds data/test/gsm8k_train_2.jsonl --input outputs/t1.0
      w2s-factory score --task gsm8k --golds data/test/gsm8k_train_2.jsonl \\
          --input output.jsonl --output results.jsonl
    """  # noqa: D301  click reads \b
    given = ScoreOptions(**options)
    if compare:
        _refuse_unread(given)
        _compare(given, [name.strip() for name in compare.split(",")])
    else:
        _score(given)


def _compare(options: ScoreOptions, modes: list[str]) -> None:
    """Print the responses on which modes disagree."""
    from w2s_factory.scoring.mode_comparison import compare_modes

    found = compare_modes(
        options.task,
        options.golds,
        options.responses,
        modes,
        answer_key=options.answer_key,
        extraction=options.extraction,
        markers=reasoning_markers(options.reasoning_start, options.reasoning_end),
        timeout=options.timeout,
        workers=options.workers,
        partial=options.partial,
    )
    click.echo(found.table())


def _score(options: ScoreOptions) -> None:
    """Score one file of responses, or each seed of a folder, and print what was found and written."""
    from w2s_factory.tasks import get_task

    files = _inputs_and_outputs(options.responses, options.output)
    _refuse_missing_golds(options)
    several = len(files) > 1
    known = rows_printed = False
    for responses, results in files:
        summary = _score_file(options, responses, results)
        rows_printed = messages_to_stderr(results)
        _print_summary(summary, options, f"{results.parent.name}: " if several else "")
        known = known or bool(summary.known)
    if not known:
        click.echo(f"no gold answer is known in {options.golds}: results have final answers but no verdicts")
    if rows_printed:
        return
    written = f"{RESULTS} for {len(files)} seeds in {files[0][1].parent.parent}" if several else files[0][1]
    click.echo(f"Wrote {written}, metrics.json, scoring_report.json")
    after_scoring(get_task(options.task), options.golds, [results for _, results in files], known=known)


def _score_file(options: ScoreOptions, responses: Path, results: Path) -> ScoreSummary:
    from w2s_factory.scoring.score import score

    return score(
        options.task,
        options.golds,
        responses,
        results,
        options.mode,
        answer_key=options.answer_key,
        any_format=options.answers == "any",
        extraction=options.extraction,
        markers=reasoning_markers(options.reasoning_start, options.reasoning_end),
        markers_optional=options.reasoning_optional,
        timeout=options.timeout,
        workers=options.workers,
        partial=options.partial,
        force=options.force,
    )


def _inputs_and_outputs(responses: Path, output: Path | None) -> list[tuple[Path, Path]]:
    """Return each file of responses with the file for its results.

    For a folder these are its `output.jsonl`, or those of the seeds in it. Results go next to them, or into
    the folder that --output names.

    Raises:
        UsageError: One file of responses is given without --output.
        UserError: The folder has neither `output.jsonl` nor seeds, or both.
    """
    if not responses.is_dir():
        if output is None:
            if not responses.exists():
                raise UserError("no such file or folder", file=responses)
            raise click.UsageError("Missing option '--output', since --input is a file.")
        return [(responses, output)]
    samples = samples_in(responses)
    seeds = seeds_in(samples)
    if not seeds:
        file = responses / OUTPUT
        if not file.is_file():
            _refuse_unfinished(responses)
            hint = "w2s-factory generate writes it into its --output-dir"
            raise UserError(
                f"expected a folder with {OUTPUT} or seed0, ..., got one without them",
                file=responses,
                hint=hint,
            )
        return [(file, output or file.with_name(RESULTS))]
    if str(output) == DASH:
        raise UserError(
            "- prints the results of one seed only",
            field="--output",
            hint=f"Name that as --input: {seeds[0] / OUTPUT}",
        )
    if (responses / OUTPUT).is_file():
        problem = f"contains both greedy responses ({OUTPUT}) and samples ({samples.name})"
        raise UserError(problem, file=responses, hint=f"Name one: {responses / OUTPUT} or {samples}")
    unfinished = [seed.name for seed in seeds if not (seed / OUTPUT).is_file()]
    if unfinished:
        print_warning(f"left out {', '.join(unfinished)} in {samples}: no {OUTPUT} yet")
    found = [seed for seed in seeds if seed.name not in unfinished]
    if not found:
        raise UserError(f"no seed in this folder has an {OUTPUT} yet", file=samples)
    return [(seed / OUTPUT, (output or samples) / seed.name / RESULTS) for seed in found]


def _refuse_unfinished(folder: Path) -> None:
    """Refuse the folder of a generation that did not end.

    Raises:
        UserError: The folder has a journal; names the requests that failed.
    """
    from w2s_factory.generating.generation_files import JOURNAL
    from w2s_factory.generating.part import failed_in

    if not (folder / JOURNAL).is_file():
        return
    failed = failed_in(folder / JOURNAL)
    said, again = (f" ({failed:,} failed)", ", with --retry-failed") if failed else ("", "")
    hint = f"Repeat w2s-factory generate with the same options{again}, which continues it"
    raise UserError(f"holds an unfinished generation{said}", file=folder, hint=hint)


def _refuse_missing_golds(options: ScoreOptions) -> None:
    """Refuse a file of gold answers that does not exist, with the command that writes that of a task file.

    Raises:
        UserError: Names the file.
    """
    from w2s_factory.tasks import get_task

    task = get_task(options.task)
    if task.file is None or not task.splits or options.golds.exists() or str(options.golds) == DASH:
        return
    split = next((each for each in task.splits if options.golds.stem == f"{task.name}_{each}"), "NAME")
    words = ["w2s-factory", "build-data", "--stage", "test", "--task", options.task, "--split", split]
    raise UserError("no such file", file=options.golds, hint=f"{shlex.join(words)} writes it")


def _print_summary(summary: ScoreSummary, options: ScoreOptions, name: str) -> None:
    """Print the accuracy of one file of responses, and what was not counted or cut short."""
    counted = f"{summary.right} of {summary.known} right"
    right = "no gold answer is known" if summary.accuracy is None else f"{counted} ({summary.accuracy:.2%})"
    found = ", answers in any format" if options.answers == "any" else ""
    if summary.extract != "published":
        found = f", extract {summary.extract}"
    click.echo(f"{name}{right}, mode {options.mode}{found}")
    if 0 < summary.known < summary.rows:
        click.echo(f"{name}{summary.rows - summary.known} without a known gold answer not counted")
    if summary.empty:
        click.echo(f"{name}{summary.empty} without a final answer{_other_way(summary)}")
    if summary.unclosed:
        click.echo(f"{name}of these, {summary.unclosed}: thinking did not end")
    if summary.failed:
        click.echo(f"{name}of these, {summary.failed}: the request failed")
    for limit, count in summary.limits.items():
        click.echo(
            f"{name}{count} counted as wrong, their comparison was stopped ({limit}): see scoring_report.json"
        )


def _other_way(summary: ScoreSummary) -> str:
    """Return in words which way finds the answers that are missing; empty if none does."""
    if (other := summary.other_way) is None:
        return ""
    of = "" if other.of == summary.empty else f" in {other.of}"
    return f"; --extract {other.way} finds {other.found}{of}"


def _refuse_unread(options: ScoreOptions) -> None:
    """Refuse the options that --compare would ignore: it names its modes itself, and writes nothing."""
    for name in ("output", "mode", "force"):
        if is_given(name):
            raise click.UsageError(
                f"--compare names the modes itself and writes no file: leave out --{name}."
            )
    if options.reasoning_optional:
        raise click.UsageError("--compare does not read --reasoning-optional.")
    if options.answers == "any":
        raise click.UsageError("--compare works with --answers keyed only.")
