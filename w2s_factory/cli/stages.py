"""Which options each stage of `build-data` reads: the others are refused, not passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.core import ParameterSource

from w2s_factory.cli.paths import DASH
from w2s_factory.errors import UserError

if TYPE_CHECKING:
    import click

_ALWAYS = {"stage", "task_name", "output_dir", "force"}
_DATASET = {"layout", "preset", "model", "settings", "version", "no_config"}
_ONE_FILE = {"output", "dataset_name"}
READ = {
    "gold": _DATASET | _ONE_FILE | {"source"},
    "test": {"source", "split", "output"},
    "full-weak": _DATASET | _ONE_FILE | {"source", "weak_name"},
    "1": _DATASET | {"weak", "icl", "weak_name", "iteration", "pad_to", "seed"},
    "2": _DATASET
    | _ONE_FILE
    | {"weak", "votes", "weak_name", "min_confidence", "negative_confidence", "pairs_per_question", "seed"}
    | {"drop_duplicates", "samples", "form", "check", "explain"},
}
"""Parameters by stage, beside those every stage reads."""

LOOKS = {
    "explain": {"task_name", "output", "weak", "votes", "min_confidence", "negative_confidence"},
    "check": {"task_name", "weak"},
}
"""Parameters that only look at a pair file, and those read beside each."""


_BESIDE = {"layout", "preset", "model", "settings", "dataset_name"}
"""Parameters of files that are written beside the rows."""


def refuse_unread(ctx: click.Context, stage: str) -> None:
    """Refuse options that were given and that the stage has no use for.

    Raises:
        UserError: Names the first such option.
    """
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name not in _ALWAYS | READ[stage]:
            raise UserError(f"stage {stage} has no use for it", field=parameter.opts[0])
        for look in _looks(ctx) if stage == "2" else ():
            if given and parameter.name not in {"stage", look} | LOOKS[look]:
                raise UserError(f"--{look} only looks and has no use for it", field=parameter.opts[0])
        if given and stage == "1" and parameter.name == "seed" and not ctx.params.get("pad_to"):
            raise UserError("stage 1 draws nothing without --pad-to", field="--seed")
        if given and str(ctx.params.get("output")) == DASH and parameter.name in _BESIDE:
            problem = "rows on the standard output have neither index nor config"
            raise UserError(problem, field=parameter.opts[0], hint="Name a file: --output FILE")
    if ctx.params.get("output") and ctx.params.get("output_dir"):
        raise UserError("the file is named by --output", field="--output-dir", hint="Give one of the two")


def _looks(ctx: click.Context) -> list[str]:
    return [look for look in LOOKS if ctx.params.get(look)]
