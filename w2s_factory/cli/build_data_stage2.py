"""Stage II of `build-data`: preference pairs built, a pair file checked, a question's pairs explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from w2s_factory.cli.build_data_options import refuse_unread_of
from w2s_factory.cli.next_steps import after_dataset, shown
from w2s_factory.cli.options import DASH, is_given
from w2s_factory.cli.output import accuracy_text, messages_to_stderr, print_datasets, print_limits
from w2s_factory.errors import UserError
from w2s_factory.quantities import PAIRS_WITH_WEAK_SIDE

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.answers.thinking import Markers
    from w2s_factory.building import (
        Inputs,
        PairCheck,
        PairCounts,
        PairSource,
        Recipe,
        SampledPairCounts,
        SampledPairSet,
        Stage2,
    )
    from w2s_factory.cli.build_data_options import Stage2Options
    from w2s_factory.quantities import PairDraws, PairThresholds

FOREIGN_PAIRS = 1
"""The exit code of a check that found pairs without the weak model's response."""


def inspect(options: Stage2Options) -> bool:
    """Explain or check an existing pair file if that was asked for; return whether it was."""
    if options.explain:
        _explain(options, options.explain)
    elif options.check:
        _check(options.check, options.weak, options.response_rule.markers)
    return bool(options.explain or options.check)


def build(inputs: Inputs, options: Stage2Options, output: Path, recipe: Recipe) -> None:
    """Build the pairs, and print how many questions gave one and why the others gave none."""
    found = _with_weak_side if options.has_weak_side else _of_samples
    stage2 = found(inputs, options, output, recipe)
    rows_printed = messages_to_stderr(output)
    _print_counts(stage2.counts)
    if rows_printed or stage2.origins is None:
        return
    print_datasets([stage2.built])
    click.echo(f"      {shown(stage2.origins)} (where each pair came from)")
    after_dataset(stage2.built)


def _with_weak_side(inputs: Inputs, options: Stage2Options, output: Path, recipe: Recipe) -> Stage2:
    """Build the published pairs, or those whose sides a coin has swapped."""
    from w2s_factory import building

    return building.build_stage2(
        inputs.task,
        inputs.files["weak"],
        inputs.files["votes"],
        output,
        rules=building.PairRules(**options.thresholds, **_draws(inputs, options)),
        samples=options.samples,
        prompt_form=options.prompt_form,
        response_rule=options.response_rule,
        form=options.form,
        recipe=recipe,
        random_sides=options.control == "random",
    )


def _of_samples(inputs: Inputs, options: Stage2Options, output: Path, recipe: Recipe) -> SampledPairSet:
    """Build pairs both of whose sides are samples, by consistency or by gold."""
    from w2s_factory import building

    draws = _draws(inputs, options)
    kept: dict[str, Any] = {
        "samples": options.samples,
        "prompt_form": options.prompt_form,
        "response_rule": options.response_rule,
        "form": options.form,
        "recipe": recipe,
    }
    if options.control == "gold":
        by_gold = building.PairDraws(**draws)
        return building.build_gold_pairs(inputs.task, inputs.files["votes"], output, draws=by_gold, **kept)
    rules = building.ConsistencyRules(min_confidence=options.min_confidence, **draws)
    return building.build_consistency_pairs(inputs.task, inputs.files["votes"], output, rules=rules, **kept)


def _draws(inputs: Inputs, options: Stage2Options) -> dict[str, Any]:
    """Return the values of the fields of `PairDraws`."""
    most = options.pairs_per_question
    return {
        "pairs_per_question": inputs.task.pairs_per_question if most is None else most,
        "seed": options.seed,
        "drop_duplicates": options.drop_duplicates,
    }


def _print_counts(counts: PairCounts | SampledPairCounts) -> None:
    from w2s_factory import building

    click.echo(f"{counts.pairs:,} pairs from {counts.questions:,} questions")
    if isinstance(counts, building.PairCounts):
        click.echo(f"  weak response chosen: {counts.weak_chosen:,}, rejected: {counts.weak_rejected:,}")
    print_limits(counts.limits)
    for reason, number in counts.skipped.items():
        click.echo(f"  questions skipped, {reason}: {number:,}")
    chosen, rejected = accuracy_text(counts.chosen), accuracy_text(counts.rejected)
    click.echo(f"  accuracy: chosen {chosen}, rejected {rejected}")


def _explain(options: Stage2Options, question: str) -> None:
    from w2s_factory import building

    if not options.output or str(options.output) == DASH:
        raise UserError("--explain needs the pair file", field="--output", hint="Name it: --output FILE")
    click.echo(building.explain_pair(options.output, question, _source(options, options.output)))


def _source(options: Stage2Options, pairs: Path) -> PairSource | None:
    """Return what the pairs in a file were built from, or None if --weak and --votes were not given."""
    from w2s_factory import building
    from w2s_factory.building.pair_explanation import noted_rules, pair_kind
    from w2s_factory.tasks import get_task

    if not options.weak and not options.votes:
        return None
    kind = pair_kind(pairs)
    refuse_unread_of(kind)
    both = kind in PAIRS_WITH_WEAK_SIDE
    if not options.task_name or not options.votes or (both and not options.weak):
        needed = "all of --task, --weak and --votes" if both else "--task and --votes"
        problem = f"saying why a question has no pair needs {needed}"
        raise UserError(problem, field="--explain")
    rules: PairThresholds | PairDraws
    noted, given = noted_rules(pairs), options.thresholds
    thresholds = {name: value if is_given(name) else noted.get(name, value) for name, value in given.items()}
    if both:
        rules = building.PairThresholds(**thresholds)
    elif kind == "consistency":
        rules = building.ConsistencyRules(min_confidence=thresholds["min_confidence"])
    else:
        rules = building.PairDraws()
    return building.PairSource(
        get_task(options.task_name), options.weak, options.votes, rules, options.response_rule
    )


def _check(file: Path, weak: Path | None, markers: Markers | None) -> None:
    from w2s_factory import building

    if weak is None:
        problem = "--check needs the weak model's results or full weak data"
        raise UserError(problem, field="--weak", hint="Name them: --weak FILE")
    found = building.check_pairs(file, weak, markers)
    _print_check(file, found)
    if not found.clean:
        raise SystemExit(FOREIGN_PAIRS)


def _print_check(file: Path, found: PairCheck) -> None:
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
