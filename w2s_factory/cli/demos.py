"""`w2s-factory demos`: demonstrations for weak ICL, drawn or named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from w2s_factory.answers.thinking import RESPONSE_PARTS
from w2s_factory.cli.help import HeadedCommand, heading, option
from w2s_factory.cli.next_steps import after_demonstrations
from w2s_factory.cli.options import (
    PATH,
    TASKS,
    extract_option,
    number,
    reasoning_markers,
    reasoning_options,
)
from w2s_factory.cli.output import messages_to_stderr, print_warning
from w2s_factory.errors import UserError
from w2s_factory.folders import responses_in
from w2s_factory.quantities import DemonstrationCount
from w2s_factory.ranges import Seed

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.answers.thinking import ResponsePart

_files = heading("Input and output")
_part = heading("Models that think")
_draw = heading("Draw demonstrations at random")
_named = heading("Or name them")


@click.command(cls=HeadedCommand)
@_files("--task", "task_name", required=True, metavar="NAME", help=f"The task: {TASKS}.")
@_files(
    "--from", "source", required=True, type=PATH, metavar="FILE",
    help="The weak model's responses: full weak data, output.jsonl or results.jsonl, or their folder.",
)  # fmt: skip
@_files(
    "--output", required=True, type=PATH, metavar="FILE",
    help="The file of demonstrations to write (JSON); - for stdout.",
)  # fmt: skip
@_draw(
    "--count", type=number(DemonstrationCount), show_default="4, as in the published release",
    help="How many demonstrations to draw.",
)  # fmt: skip
@_draw(
    "--seed", type=number(Seed), show_default="42, as in the published release", help="The seed of the draw."
)
@_draw("--correct-only", is_flag=True, help="Draw only responses whose result is true; needs results.jsonl.")
@_named("--ids", metavar="ID,...", help="Take the responses with these ids, in this order.")
@_named(
    "--question", metavar="ID",
    help="Show the question with this id before each of these responses instead of its own, as the release "
    "does for OlympicArena.",
)  # fmt: skip
@_part(
    "--show", type=click.Choice(RESPONSE_PARTS), default="answer", show_default=True,
    help="The part of a response to show: what follows the thinking, or all of it.",
)  # fmt: skip
@extract_option(_part, more="A drawn response must have one.")
@reasoning_options(_part, as_scored=True)
@option("--force", is_flag=True, help="Overwrite a file that has other content.")
def command(
    task_name: str,
    source: Path,
    ids: str | None,
    question: str | None,
    seed: int | None,
    count: int | None,
    correct_only: bool,
    show: ResponsePart,
    extraction: str | None,
    reasoning_start: str | None,
    reasoning_end: str | None,
    output: Path,
    force: bool,
) -> None:
    """Select demonstrations for weak in-context learning (ICL).

    The strong model is prompted with them; generate takes them as --demos. By default they are drawn as in
    the published release: all rows are shuffled, and the first ones are taken whose response contains the
    task's answer key (such as ####), whether the answer is right or wrong.

    \b
    Examples:
      w2s-factory demos --task gsm8k --from full_weak.json --seed 42 --count 4 --output demos.json
      w2s-factory demos --task gsm8k --from full_weak.json --ids 2619,456,102,3037 --output demos.json
    """  # noqa: D301  click reads \b
    from w2s_factory import generating
    from w2s_factory.records import DEMONSTRATION, Outputs
    from w2s_factory.tasks import get_task

    task, source = get_task(task_name), responses_in(source)
    drawn = seed is not None or count is not None or correct_only or extraction is not None
    _refuse_mixed(ids, question, drawn=drawn)
    markers = reasoning_markers(reasoning_start, reasoning_end)
    names = [name.strip() for name in (ids or "").split(",")]
    if ids is not None:
        picked = generating.named_demonstrations(source, names, question=question, show=show, markers=markers)
        facts: dict[str, Any] = {"ids": ",".join(names)} | ({"question": question} if question else {})
    else:
        seed = generating.PUBLISHED_SEED if seed is None else seed
        count = generating.PUBLISHED_COUNT if count is None else count
        picked = generating.pick_demonstrations(
            task,
            source,
            count=count,
            seed=seed,
            correct_only=correct_only,
            show=show,
            extract=extraction,
            markers=markers,
        )
        facts = {"seed": seed, "correct_only": correct_only} | ({"extract": extraction} if extraction else {})
    facts |= {} if show == "answer" else {"show": show}
    with Outputs(inputs=[source], force=force) as outputs:
        outputs.rows(output, picked, DEMONSTRATION)
        outputs.note(task=task_name, **facts)
    rows_printed = messages_to_stderr(output)
    foreign = [name for name in names if question and name != question]
    if foreign:
        print_warning(f"the responses {', '.join(foreign)} answer other questions than the one shown")
    if rows_printed:
        return
    click.echo(f"Wrote {output} (ids {', '.join(str(demonstration['id']) for demonstration in picked)})")
    after_demonstrations(task, output)


def _refuse_mixed(ids: str | None, question: str | None, *, drawn: bool) -> None:
    """Refuse options that would not be read: those of a draw with --ids, and --question without it.

    Raises:
        UserError: Names the option.
    """
    if ids is not None and drawn:
        problem = "cannot be combined with --seed, --count, --correct-only or --extract, which draw at random"
        raise UserError(problem, field="--ids")
    if question is not None and ids is None:
        raise UserError("is read only with --ids", field="--question")
