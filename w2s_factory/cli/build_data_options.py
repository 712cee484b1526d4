"""The options of `build-data` as typed values, and which stage reads which of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from click.core import ParameterSource

from w2s_factory.cli.options import DASH
from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from w2s_factory.records import PairForm

STAGES: Final = ("gold", "test", "full-weak", "1", "2")


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """The options of `build-data`, by the names of their parameters; their help says what they mean."""

    stage: str
    task_name: str | None
    source: Path | None
    weak: Path | None
    icl: Path | None
    votes: Path | None
    samples: Path | None
    weak_name: str | None
    iteration: int
    pad_to: int | None
    split: str | None
    output: Path | None
    output_dir: Path | None
    min_confidence: float
    negative_confidence: float
    pairs_per_question: int | None
    seed: int
    drop_duplicates: bool
    form: PairForm | None
    check: Path | None
    explain: str | None
    layout: str
    dataset_name: str | None
    preset: str | None
    model: str | None
    no_config: bool
    settings: tuple[str, ...]
    version: str | None
    force: bool

    @property
    def inputs(self) -> dict[str, Path | None]:
        """The input files by the name of their option."""
        return {"input": self.source, "weak": self.weak, "icl": self.icl, "votes": self.votes}


_ALWAYS = {"stage", "task_name", "output_dir", "force"}
_CONFIG = {"layout", "preset", "model", "settings", "version", "no_config"}
_ONE_FILE = {"output", "dataset_name"}
READ: Final = {
    "gold": _CONFIG | _ONE_FILE | {"source"},
    "test": {"source", "split", "output"},
    "full-weak": _CONFIG | _ONE_FILE | {"source", "weak_name"},
    "1": _CONFIG | {"weak", "icl", "weak_name", "iteration", "pad_to", "seed"},
    "2": _CONFIG
    | _ONE_FILE
    | {"weak", "votes", "weak_name", "min_confidence", "negative_confidence", "pairs_per_question", "seed"}
    | {"drop_duplicates", "samples", "form", "check", "explain"},
}
"""The parameters each stage reads, besides those that all read."""

INSPECTIONS: Final = {
    "explain": {"task_name", "output", "weak", "votes", "min_confidence", "negative_confidence"},
    "check": {"task_name", "weak"},
}
"""The parameters that inspect a pair file instead of building one, and the others that each reads."""

_NEXT_TO_ROWS = {"layout", "preset", "model", "settings", "dataset_name"}
"""The parameters of the index and the config, which are not written where the rows are printed."""


def refuse_unread(ctx: click.Context, stage: str) -> None:
    """Refuse options that were given and that the stage does not read: they would have no effect.

    Raises:
        UserError: Names the first such option.
    """
    printed = str(ctx.params.get("output")) == DASH
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        problem, hint = _unread(ctx, stage, name), None
        if problem is None and printed and name in _NEXT_TO_ROWS:
            problem = "rows on the standard output have neither index nor config"
            hint = "Name a file: --output FILE"
        if problem is not None:
            raise UserError(problem, field=parameter.opts[0], hint=hint)
    if ctx.params.get("output") and ctx.params.get("output_dir"):
        raise UserError(
            "--output names the file with its folder", field="--output-dir", hint="Give one of the two"
        )


def _unread(ctx: click.Context, stage: str, name: str) -> str | None:
    """Return why a parameter is not read, or None if it is."""
    if name not in _ALWAYS | READ[stage]:
        readers = [other for other in STAGES if name in READ[other]]
        return f"is not read by stage {stage}, only by {', '.join(readers)}"
    inspections = [each for each in INSPECTIONS if ctx.params.get(each)] if stage == "2" else []
    for inspection in inspections:
        if name not in {"stage", inspection} | INSPECTIONS[inspection]:
            return f"is not read with --{inspection}, which builds nothing"
    if stage == "1" and name == "seed" and not ctx.params.get("pad_to"):
        return "is read by stage 1 only with --pad-to"
    return None
