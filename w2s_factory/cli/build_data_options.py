"""The options of `build-data`: one class for each stage, whose fields are the options that the stage reads.

A field has the name of the option's parameter in `build_data.py`, where its help is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import click

from w2s_factory.cli.options import DASH, is_given, reasoning_markers
from w2s_factory.errors import UserError
from w2s_factory.quantities import PAIRS_WITH_WEAK_SIDE, PairThresholds

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.answers.thinking import ResponsePart
    from w2s_factory.building import PromptForm, ResponseRule
    from w2s_factory.quantities import PairControl, PairKind, PairSet
    from w2s_factory.records import PairForm


@dataclass(frozen=True, kw_only=True)
class StageOptions:
    """The options that every stage reads, besides `--stage`."""

    task_name: str | None
    output_dir: Path | None
    force: bool


@dataclass(frozen=True, kw_only=True)
class DatasetOptions(StageOptions):
    """The options of the stages that build datasets for training."""

    layout: str
    preset: str | None
    model: str | None
    no_config: bool
    settings: tuple[str, ...]
    version: str | None
    chat: str | None
    system: str | None

    @property
    def prompt_form(self) -> PromptForm:
        """Return the form of prompts for the model to train."""
        from w2s_factory.building import PromptForm

        return PromptForm(chat=None if self.chat is None else self.chat == "on", system=self.system)


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """The options of the stages that read the texts of responses."""

    train_on: ResponsePart
    reasoning_start: str | None
    reasoning_end: str | None

    @property
    def response_rule(self) -> ResponseRule:
        """Return the rule by which responses are read.

        Raises:
            UserError: Only one of the markers of thinking is named.
        """
        from w2s_factory.building import ResponseRule

        return ResponseRule(
            train_on=self.train_on, markers=reasoning_markers(self.reasoning_start, self.reasoning_end)
        )


@dataclass(frozen=True, kw_only=True)
class ResponseOptions(TextOptions):
    """The options of the stages that read the final answers of responses, too."""

    extraction: str | None
    mode: str | None

    @property
    def response_rule(self) -> ResponseRule:
        """Return the rule by which responses are read.

        Raises:
            UserError: Only one of the markers of thinking is named.
        """
        return replace(super().response_rule, extraction=self.extraction, mode=self.mode)


@dataclass(frozen=True, kw_only=True)
class OneDatasetOptions(DatasetOptions):
    """The options of the stages that build a single dataset."""

    output: Path | None
    dataset_name: str | None


@dataclass(frozen=True, kw_only=True)
class GoldOptions(OneDatasetOptions):
    """The options of stage gold."""

    source: Path | None
    split: str | None


@dataclass(frozen=True, kw_only=True)
class TestOptions(StageOptions):
    """The options of stage test."""

    source: Path | None
    split: str | None
    output: Path | None


@dataclass(frozen=True, kw_only=True)
class FullWeakOptions(TextOptions, OneDatasetOptions):
    """The options of stage full-weak."""

    source: Path | None
    weak_name: str | None


@dataclass(frozen=True, kw_only=True)
class Stage1Options(ResponseOptions, DatasetOptions):
    """The options of stage 1."""

    weak: Path | None
    icl: Path | None
    weak_name: str | None
    iteration: int
    pad_to: int | None
    seed: int


@dataclass(frozen=True, kw_only=True)
class Stage2Options(PairThresholds, ResponseOptions, OneDatasetOptions):
    """The options of stage 2; its thresholds are declared by `PairThresholds` alone."""

    weak: Path | None
    votes: Path | None
    weak_name: str | None
    pairs_per_question: int | None
    seed: int
    drop_duplicates: bool
    samples: Path | None
    form: PairForm | None
    check: Path | None
    explain: str | None
    pairs: PairKind
    control: PairControl | None

    def __post_init__(self) -> None:
        if self.has_weak_side and not self.explain:  # other pairs have no second threshold
            super().__post_init__()

    @property
    def kind(self) -> PairSet:
        """Return the kind of the pairs: that of `--control`, or else of `--pairs`."""
        return self.control or self.pairs

    @property
    def has_weak_side(self) -> bool:
        """Return whether the pairs have the weak model's response on one side."""
        return self.kind in PAIRS_WITH_WEAK_SIDE

    @property
    def thresholds(self) -> dict[str, Any]:
        """Return the values of the thresholds, by field of `PairThresholds`."""
        return {field.name: getattr(self, field.name) for field in fields(PairThresholds)}


@dataclass(frozen=True, kw_only=True)
class SelfTrainingOptions(TextOptions, OneDatasetOptions):
    """The options of stage self."""

    votes: Path | None
    min_confidence: float
    weak_name: str | None
    seed: int


STAGES: Final[dict[str, type[StageOptions]]] = {
    "gold": GoldOptions,
    "test": TestOptions,
    "full-weak": FullWeakOptions,
    "1": Stage1Options,
    "2": Stage2Options,
    "self": SelfTrainingOptions,
}
"""The stages, with the class of their options."""

READ: Final = {stage: {field.name for field in fields(options)} for stage, options in STAGES.items()}
"""The parameters that each stage reads."""

_MARKERS: Final = {"reasoning_start", "reasoning_end"}

INSPECTIONS: Final = {
    "explain": {
        *("task_name", "output", "weak", "votes", "train_on", "extraction", "mode"),
        *_MARKERS,
        *(field.name for field in fields(PairThresholds)),
    },
    "check": {"task_name", "weak", *_MARKERS},
}
"""The parameters that inspect a pair file instead of building one, and the others that each reads."""


_OF_THE_WEAK_MODEL: Final = {"weak", "negative_confidence"}
"""The parameters of stage 2 that are about the weak model's answers."""

UNREAD: Final = {
    ("pairs", "consistency"): _OF_THE_WEAK_MODEL,
    ("control", "gold"): {*_OF_THE_WEAK_MODEL, "min_confidence", "extraction", "mode", "pairs"},
    ("control", "random"): {"pairs"},
}
"""The parameters of stage 2 that pairs of another source than the published one do not read."""


def refuse_unread_of(kind: PairSet) -> None:
    """Refuse options that were given and that pairs of this kind, found in a file, do not read.

    Raises:
        UserError: Names the first such option.
    """
    ctx = click.get_current_context()
    unread = {value: names for (_, value), names in UNREAD.items()}.get(kind, set())
    for parameter in ctx.command.params:
        if parameter.name in unread and is_given(parameter.name):
            raise UserError(f"is not read for {kind} pairs", field=parameter.opts[0], hint="Leave it out")


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
        if not is_given(name):
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
    if name not in {"stage", *READ[stage]}:
        readers = [other for other in STAGES if name in READ[other]]
        return f"is not read by stage {stage}, only by {', '.join(readers)}"
    inspections = [each for each in INSPECTIONS if ctx.params.get(each)] if stage == "2" else []
    for inspection in inspections:
        if name not in {"stage", inspection} | INSPECTIONS[inspection]:
            return f"is not read with --{inspection}, which builds nothing"
    for (option, value), unread in UNREAD.items() if stage == "2" else ():
        if ctx.params.get(option) == value and name in unread:
            return f"is not read with --{option} {value}"
    if stage == "1" and name == "seed" and not ctx.params.get("pad_to"):
        return "is read by stage 1 only with --pad-to"
    return None
