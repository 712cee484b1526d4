"""`w2s-factory evaluate`: accuracy, pass@k, maj@k and avg@k as a table, JSON or CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from w2s_factory.cli.help import HeadedCommand, heading, option
from w2s_factory.cli.options import PATH, TASKS, number
from w2s_factory.cli.output import messages_to_stderr
from w2s_factory.errors import encodable
from w2s_factory.folders import RESULTS, samples_in, seeds_in
from w2s_factory.quantities import HeadroomPoints, Samples

if TYPE_CHECKING:
    from collections.abc import Mapping

_samples = heading("Sampled responses")
_headroom = heading("Headroom of Stage II")
_groups = heading("Accuracy by group")
_references = heading("Comparison")
_output = heading("Output")


@click.command(cls=HeadedCommand)
@click.argument("results", nargs=-1, required=True, type=PATH)
@_samples(
    "--pass-at", type=number(Samples), metavar="K",
    help="Print pass@K (any of the first K samples is right) and maj@K (their majority answer is right) "
    "instead of accuracy.",
)  # fmt: skip
@_samples(
    "--avg-at", type=number(Samples), metavar="K",
    help="Print avg@K instead of accuracy: the mean accuracy of the first K samples, with an interval over "
    "the questions.",
)  # fmt: skip
@_samples(
    "--task", "task_name", metavar="NAME", show_default="answers are equal if their texts are",
    help=f"With --pass-at or --headroom: the task, which decides which answers are equal: {TASKS}.",
)  # fmt: skip
@_headroom(
    "--headroom", "folder", type=PATH, metavar="DIR",
    help="Folder of samples of the same model on the same questions as RESULTS (seed0/results.jsonl, ...). "
    "Print whether their majority knows more than the one answer in RESULTS (greedy, or sampled), with "
    "avg@K, maj@K and pass@K over the K samples, instead of accuracy.",
)  # fmt: skip
@_headroom(
    "--samples", "k", type=number(Samples), metavar="K", show_default="all in the folder",
    help="With --headroom: the number of samples that count, the first K ones.",
)  # fmt: skip
@_headroom(
    "--pairs", type=PATH, metavar="FILE",
    help="With --headroom: pairs of build-data --stage 2, to print how often each of their sides is right.",
)  # fmt: skip
@_headroom(
    "--output", type=PATH, metavar="FILE", help="With --headroom: also write it to this file, as JSON.",
)  # fmt: skip
@_headroom(
    "--require-headroom", type=number(HeadroomPoints), metavar="N",
    help="With --headroom: fail with exit code 1 if the accuracy of the majority answers is not at least N "
    "percentage points above that of RESULTS (the point estimate, not its interval).",
)  # fmt: skip
@_groups(
    "--by", multiple=True, metavar="TAG",
    help="Print accuracy also for each value of a tag in --golds, such as level or subject; repeatable.",
)  # fmt: skip
@_groups(
    "--golds", type=PATH, metavar="FILE", help="With --by: the test file of the split, which has the tags."
)
@_references(
    "--floor", metavar="FILE|SHARE",
    help="Weak floor: the weak model's results, or their accuracy (0 to 1). With --ceiling, print the "
    "performance gap recovered: PGR = (accuracy - floor) / (ceiling - floor).",
)  # fmt: skip
@_references(
    "--ceiling", metavar="FILE|SHARE",
    help="Strong ceiling: results of the strong model trained on gold solutions, or their accuracy.",
)  # fmt: skip
@_references(
    "--beside-paper", type=(str, str), metavar="TASK WEAK_NAME",
    help="Also print the paper's numbers for a task and a weak model, such as gsm8k llama2_7b.",
)  # fmt: skip
@_output("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@_output(
    "--csv", type=PATH, metavar="FILE",
    help="Also write the results and their differences as CSV; - for stdout.",
)  # fmt: skip
@option("--force", is_flag=True, help="Overwrite a file that has other content.")
def command(
    *,
    results: tuple[Path, ...],
    pass_at: int | None,
    avg_at: int | None,
    task_name: str | None,
    folder: Path | None,
    k: int | None,
    pairs: Path | None,
    output: Path | None,
    require_headroom: float | None,
    golds: Path | None,
    by: tuple[str, ...],
    floor: str | None,
    ceiling: str | None,
    beside_paper: tuple[str, str] | None,
    as_json: bool,
    csv: Path | None,
    force: bool,
) -> None:
    """Print accuracy, pass@k or avg@k, with confidence intervals.

    RESULTS are files that score wrote (results.jsonl), or their folders; with --pass-at or --avg-at, folders
    of samples (seed0/results.jsonl, ...). Accuracies have 95 % Wilson intervals. With several RESULTS, the
    difference of each from the first follows, with a 95 % interval by paired bootstrap.

    \b
    Examples:
      w2s-factory evaluate weak/results.jsonl strong/results.jsonl
      w2s-factory evaluate --pass-at 10 outputs/t1.0
      w2s-factory evaluate --avg-at 10 outputs/t1.0
      w2s-factory evaluate outputs/results.jsonl --headroom outputs/t1.0
      w2s-factory evaluate results.jsonl --golds data/test/math.jsonl --by level --by subject
      w2s-factory evaluate weak/results.jsonl --beside-paper gsm8k llama2_7b
    """  # noqa: D301  click reads \b
    import dataclasses

    from w2s_factory.building.stage2_headroom import headroom, headroom_in_words
    from w2s_factory.records import Outputs
    from w2s_factory.scoring.evaluate import evaluate
    from w2s_factory.tasks import get_task

    if task_name and not (pass_at or folder):
        raise click.UsageError("--task is read only with --pass-at or --headroom.")
    if as_json and csv is not None and str(csv) == "-":
        raise click.UsageError("--json and --csv - both print to stdout: name a file for --csv.")
    others: dict[str, object] = {"--pass-at": pass_at, "--avg-at": avg_at, "--by": by, "--golds": golds}
    others |= {"--floor": floor, "--ceiling": ceiling, "--beside-paper": beside_paper, "--csv": csv}
    ours = {"--samples": k, "--pairs": pairs, "--output": output, "--require-headroom": require_headroom}
    _check_combination(folder, results, others, ours)
    if folder is not None:
        measured = headroom(
            results[0],
            samples_in(folder),
            k=k,
            task=task_name,
            pairs=pairs,
            output=output,
            require=require_headroom,
            force=force,
        )
        row = measured.as_json()
        click.echo(json.dumps(row, indent=2) if as_json else "\n".join(headroom_in_words(row)))
        return
    if pass_at or avg_at:
        results = tuple(map(samples_in, results))
    found = evaluate(
        results,
        pass_at=pass_at,
        avg_at=avg_at,
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
    messages_to_stderr(csv)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2))
        return
    for table in filter(None, (found.results, found.differences, found.paper)):
        click.echo(_text(table))
    for note in found.notes:
        click.echo(note, err=True)


def _check_combination(
    folder: Path | None, results: tuple[Path, ...], others: Mapping[str, object], ours: Mapping[str, object]
) -> None:
    """Check that `--headroom` is not combined with options that it does not read, and that its own have it.

    Raises:
        UsageError: An option is not read.
    """
    for name, value in (others if folder is not None else ours).items():
        if value is not None and value != ():
            need = "cannot be combined" if folder is not None else "is read only"
            raise click.UsageError(f"{name} {need} with --headroom.")
    if folder is not None and len(results) > 1:
        raise click.UsageError("--headroom takes the RESULTS of one model.")


def _reads(results: tuple[Path, ...], *others: Path | str | None) -> list[Path]:
    """Return the files that an evaluation may read; none of them may be overwritten."""
    named = [*results, *(Path(other) for other in others if other is not None)]
    return [
        file
        for path in named
        for file in (path, path / RESULTS, *(seed / RESULTS for seed in seeds_in(path)))
    ]


def _csv(results: list[dict[str, Any]], differences: list[dict[str, Any]]) -> str:
    """Return one table as CSV: a difference is in the row of its results that covers all questions."""
    import pandas as pd

    table = pd.DataFrame(results)
    if differences:
        others = pd.DataFrame(differences).assign(group="all")
        keys = [key for key in ("results", "group") if key in table]
        others = others.drop(columns={"group"} - set(keys))
        table = table.merge(others, how="left", on=keys, suffixes=("", "_of_difference"))
    return str(table.to_csv(index=False))


def _text(rows: list[dict[str, Any]]) -> str:
    """Return a table to read, with shares in per cent."""
    import pandas as pd

    return (
        str(pd.DataFrame(rows).to_string(index=False, float_format=lambda share: f"{share:.2%}", na_rep=""))
        + "\n"
    )
