"""What `build-data --stage 2` does and prints: pairs built, somebody's checked, a question explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from w2s_factory.cli.next_steps import after_dataset, shown
from w2s_factory.cli.paths import DASH, say_on_stderr
from w2s_factory.cli.telling import share, tell_built, tell_limits
from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.building import Inputs, PairCheck, PairCounts, PairSource, Recipe

NOT_CLEAN = 1
"""The exit code of a check that found pairs without the weak model's response."""


def looked(task: str | None, options: dict[str, Any]) -> bool:
    """Do what only looks at a pair file, if that was asked for."""
    if options["explain"]:
        _explain(task, options)
    elif options["check"]:
        _check(options["check"], options["weak"])
    return bool(options["explain"] or options["check"])


def build(inputs: Inputs, options: dict[str, Any], output: Path, recipe: Recipe) -> None:
    """Build the pairs and say what came of the questions."""
    from w2s_factory import building

    most = options["pairs_per_question"]
    made = building.build_stage2(
        inputs.task,
        inputs.files["weak"],
        inputs.files["votes"],
        output,
        rules=building.PairRules(
            min_confidence=options["min_confidence"],
            negative_confidence=options["negative_confidence"],
            pairs_per_question=inputs.task.pairs_per_question if most is None else most,
            seed=options["seed"],
            drop_duplicates=options["drop_duplicates"],
        ),
        samples=options["samples"],
        form=options["form"],
        recipe=recipe,
    )
    printed = say_on_stderr(output)
    _tell_counts(made.counts)
    if printed or made.origins is None:
        return
    tell_built([made.built])
    click.echo(f"where each pair came from: {shown(made.origins)}")
    after_dataset(made.built)


def _tell_counts(counts: PairCounts) -> None:
    click.echo(f"{counts.pairs:,} pairs of {counts.questions:,} questions")
    click.echo(f"  weak chosen: {counts.weak_chosen:,}, weak rejected: {counts.weak_rejected:,}")
    tell_limits(counts.limits)
    for reason, number in counts.skipped.items():
        click.echo(f"  skipped, {reason}: {number:,}")
    chosen, rejected = share(counts.chosen), share(counts.rejected)
    click.echo(f"  accuracy: chosen {chosen}, rejected {rejected}")


def _explain(task: str | None, options: dict[str, Any]) -> None:
    from w2s_factory import building

    if not options["output"] or str(options["output"]) == DASH:
        raise UserError("name the pair file", field="--output")
    click.echo(building.explain_pair(options["output"], options["explain"], _source(task, options)))


def _source(task: str | None, options: dict[str, Any]) -> PairSource | None:
    """What the pairs were built from, where it is named."""
    from w2s_factory import building
    from w2s_factory.tasks import get_task

    named = (task, options["weak"], options["votes"])
    if not any(named[1:]):
        return None
    if not all(named):
        raise UserError("why a question has no pair takes --task, --weak and --votes", field="--explain")
    rules = building.PairRules(
        min_confidence=options["min_confidence"], negative_confidence=options["negative_confidence"]
    )
    return building.PairSource(get_task(str(task)), options["weak"], options["votes"], rules)


def _check(file: Path, weak: Path | None) -> None:
    from w2s_factory import building

    if weak is None:
        raise UserError("name the weak model's results or full weak data", field="--weak")
    found = building.check_pairs(file, weak)
    _tell_check(file, found)
    if not found.clean:
        raise SystemExit(NOT_CLEAN)


def _tell_check(file: Path, found: PairCheck) -> None:
    click.echo(f"{file}: {found.pairs:,} pairs")
    click.echo(f"  weak response chosen:   {found.chosen:,}")
    click.echo(f"  weak response rejected: {found.rejected:,}")
    for name, ids in (
        ("weak response on neither side", found.neither),
        ("question not answered by the weak model", found.unknown),
        ("chosen and rejected the same", found.equal),
    ):
        if ids:
            some = ", ".join(map(str, ids[:5])) + (", ..." if len(ids) > 5 else "")
            click.echo(f"  {name}: {len(ids):,} (ids {some})")
    click.echo("clean" if found.clean else "not clean: these pairs are not all from this weak model")
