"""`w2s-factory evaluate`: how good are the results?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from w2s_factory.cli.numbers import number
from w2s_factory.cli.paths import say_on_stderr
from w2s_factory.errors import encodable
from w2s_factory.folders import samples_in
from w2s_factory.quantities import Samples


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--pass-at",
    type=number(Samples),
    metavar="K",
    help="pass@K and maj@K; RESULTS are folders with seed0/...",
)
@click.option(
    "--task",
    "task_name",
    metavar="NAME",
    help="With --pass-at: whose equal answers make a majority; without it, equal text.",
)
@click.option("--golds", type=click.Path(path_type=Path), help="The split in the test form, for --by.")
@click.option("--by", multiple=True, metavar="TAG", help="Break down by a tag of the golds: level, subject.")
@click.option("--floor", help="Weak floor, for PGR: results or an accuracy.")
@click.option("--ceiling", help="Strong ceiling, for PGR: results or an accuracy.")
@click.option(
    "--beside-paper",
    type=(str, str),
    metavar="TASK WEAK_NAME",
    help="Print the paper's numbers, too, with PGR: gsm8k llama2_7b",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--csv",
    type=click.Path(path_type=Path),
    help="Write the results and differences as CSV, too; - for stdout.",
)
@click.option("--force", is_flag=True, help="Overwrite a CSV file that holds something else.")
def command(
    *,
    results: tuple[Path, ...],
    pass_at: int | None,
    task_name: str | None,
    golds: Path | None,
    by: tuple[str, ...],
    floor: str | None,
    ceiling: str | None,
    beside_paper: tuple[str, str] | None,
    as_json: bool,
    csv: Path | None,
    force: bool,
) -> None:
    """Print accuracy or pass@k of results, with intervals.

    Accuracies come with their 95 % Wilson intervals; further results with their difference from the
    first (paired bootstrap). RESULTS are files, or folders that hold results.jsonl; with --pass-at,
    folders of samples. Examples:

    \b
        w2s-factory evaluate weak/results.jsonl strong/results.jsonl
        w2s-factory evaluate --pass-at 10 outputs/t1.0
        w2s-factory evaluate results.jsonl --golds data/test/math.jsonl --by level --by subject
        w2s-factory evaluate weak/results.jsonl --beside-paper gsm8k llama2_7b
    """  # noqa: D301  click needs the character
    import dataclasses

    from w2s_factory.records import Outputs
    from w2s_factory.scoring.evaluate import evaluate
    from w2s_factory.tasks import get_task

    if task_name and not pass_at:
        raise click.UsageError("--task goes with --pass-at.")
    if as_json and csv is not None and str(csv) == "-":
        raise click.UsageError("--json and --csv - both print: name a file for one of them.")
    if pass_at:
        results = tuple(map(samples_in, results))
    found = evaluate(
        results,
        pass_at=pass_at,
        golds=golds,
        by=by,
        floor=floor,
        ceiling=ceiling,
        beside_paper=beside_paper,
        task=get_task(task_name) if task_name else None,
    )
    if csv:
        with Outputs(reads=_reads(results, golds, floor, ceiling), force=force) as outputs:
            outputs.text(csv, encodable(_csv(found.results, found.differences)), stdout=True)
    say_on_stderr(csv)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2))
        return
    for table in filter(None, (found.results, found.differences, found.paper)):
        click.echo(_text(table))
    for note in found.notes:
        click.echo(note, err=True)


def _reads(results: tuple[Path, ...], *others: Path | str | None) -> list[Path]:
    """Return the files an evaluation reads; a floor or ceiling that is a number is not a file."""
    named = [*results, *(Path(other) for other in others if other is not None)]
    return [
        file for path in named for file in (path, path / "results.jsonl", *path.glob("seed*/results.jsonl"))
    ]


def _csv(results: list[dict[str, Any]], differences: list[dict[str, Any]]) -> str:
    """One table: differences stand in the row of all questions of their results."""
    import pandas as pd

    table = pd.DataFrame(results)
    if differences:
        others = pd.DataFrame(differences).assign(group="all")
        keys = ["results", "group"]
        table = table.merge(others, how="left", on=keys, suffixes=("", "_of_difference"))
    return str(table.to_csv(index=False))


def _text(rows: list[dict[str, Any]]) -> str:
    """A table for people: shares in per cent."""
    import pandas as pd

    return (
        str(pd.DataFrame(rows).to_string(index=False, float_format=lambda share: f"{share:.2%}", na_rep=""))
        + "\n"
    )
