"""`w2s-factory demos`: pick or name demonstrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from w2s_factory.cli.next_steps import after_demonstrations
from w2s_factory.cli.numbers import number
from w2s_factory.cli.paths import say_on_stderr
from w2s_factory.cli.telling import warn
from w2s_factory.errors import UserError
from w2s_factory.folders import responses_in
from w2s_factory.quantities import DemonstrationCount
from w2s_factory.ranges import Seed


@click.command()
@click.option(
    "--task", "task_name", required=True, metavar="NAME", help="gsm8k, math, arithmetic, olympic_arena ..."
)
@click.option(
    "--from",
    "source",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The weak model's own outputs: full weak data, output.jsonl, results.jsonl, or their folder.",
)
@click.option("--ids", metavar="ID,...", help="These rows, in this order, instead of a draw.")
@click.option(
    "--question", metavar="ID", help="With --ids: show this question above each, as OlympicArena's were."
)
@click.option("--seed", type=number(Seed), help="Of the draw. [default: 42, the release's]")
@click.option(
    "--count", type=number(DemonstrationCount), help="How many to draw. [default: 4, the release's]"
)
@click.option("--correct-only", is_flag=True, help="Draw from responses whose result is true (results only).")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="demos.json; - for stdout.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that holds something else.")
def command(
    task_name: str,
    source: Path,
    ids: str | None,
    question: str | None,
    seed: int | None,
    count: int | None,
    correct_only: bool,
    output: Path,
    force: bool,
) -> None:
    """Pick demonstrations as the release did, or name them by id.

    Shuffles all rows and takes the first whose response holds the task's answer key, right or wrong.

    \b
    Examples:
      w2s-factory demos --task gsm8k --from full_weak.json --seed 42 --count 4 --output demos.json
      w2s-factory demos --task gsm8k --from full_weak.json --ids 2619,456,102,3037 --output demos.json
    """  # noqa: D301  click reads \b
    from w2s_factory import generating
    from w2s_factory.records import DEMONSTRATION, Outputs
    from w2s_factory.tasks import get_task

    task, source = get_task(task_name), responses_in(source)
    if ids is not None and (seed is not None or count is not None or correct_only):
        raise UserError("--ids names rows; --seed, --count and --correct-only draw them", field="--ids")
    if question is not None and ids is None:
        raise UserError("goes with --ids", field="--question")
    names = [name.strip() for name in (ids or "").split(",")]
    if ids is not None:
        picked = generating.named_demonstrations(source, names, question=question)
        facts: dict[str, Any] = {"ids": ",".join(names)} | ({"question": question} if question else {})
    else:
        seed = generating.PUBLISHED_SEED if seed is None else seed
        count = generating.PUBLISHED_COUNT if count is None else count
        picked = generating.pick_demonstrations(
            task, source, count=count, seed=seed, correct_only=correct_only
        )
        facts = {"seed": seed, "correct_only": correct_only}
    with Outputs(inputs=[source], force=force) as outputs:
        outputs.rows(output, picked, DEMONSTRATION)
        outputs.note(task=task_name, **facts)
    printed = say_on_stderr(output)
    foreign = [name for name in names if question and name != question]
    if foreign:
        warn(f"{', '.join(foreign)} answer other questions than the one shown")
    if printed:
        return
    click.echo(f"wrote {output} (ids {', '.join(str(demonstration['id']) for demonstration in picked)})")
    after_demonstrations(task, output)
