"""What differs between the versions of LLaMA-Factory, as data: templates, entry points, arguments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from packaging.version import InvalidVersion
from packaging.version import Version as Number

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.installed import installed_version

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAMILIES", "NEWEST", "RELEASES", "PreferenceForm", "Version", "for_version", "installed_version"]

PreferenceForm: TypeAlias = Literal["list", "columns"]

NEWEST = "0.9.5"
"""The version that is installed and tested end to end, and whose argument names the presets use."""

_DPO = {"pref_loss": "dpo_loss", "pref_beta": "dpo_beta", "pref_ftx": "dpo_ftx"}
_ORPO = {"pref_beta": "orpo_beta"}


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of LLaMA-Factory, with what a user of several versions must know of it.

    Attributes:
        number: The release (`0.8.3`).
        releases: All releases of which the rest is true.
        package: What is imported, and the distribution's name on PyPI.
        vanilla: The template that gives exactly prompt, response, EOS for one turn: `vanilla` itself,
            or the one of which `vanilla` can be made an alias; None where none does and a bare
            `register_template(name="vanilla")` is needed.
        empty_ends: Whether its template `empty` trains EOS.
        train: How training is started: a script of its repository, or its command.
        export: How adapters are merged, likewise.
        torchrun: Whether its command starts torchrun by itself: where it sees several devices, or with
            `FORCE_TORCHRUN=1`.
        overrides: Whether `key=value` arguments after the YAML are known.
        preference_form: Preference rows hold one `list` column, best first, or two `columns`, chosen
            and rejected.
        methods: Preference methods it knows, each with the names there of the arguments that are
            called `pref_loss`, `pref_beta` and `pref_ftx` now. Where `pref_loss` is not among them,
            the method is a `stage` of its own.
        cutoff_len: Its default length, in tokens, at which rows are cut.
    """

    number: str = ""
    releases: tuple[str, ...]
    package: Literal["llmtuner", "llamafactory"]
    vanilla: str | None
    train: str
    export: str
    empty_ends: bool = False
    torchrun: bool = False
    overrides: bool = False
    preference_form: PreferenceForm
    methods: Mapping[str, Mapping[str, str]] = field(hash=False)
    cutoff_len: int = 1024

    @property
    def command_line(self) -> bool:
        """Whether it comes with the command `llamafactory-cli`."""
        return self.train.startswith("llamafactory-cli")


_SCRIPTS = Version(  # the release's SFT and DPO: 0.5.0
    releases=("0.5.0", "0.5.1", "0.5.2", "0.5.3", "0.6.0", "0.6.1"),
    package="llmtuner",
    vanilla="vanilla",
    train="python src/train_bash.py",
    export="python src/export_model.py",
    preference_form="list",
    methods={"dpo": _DPO},
)
_ORPO_STAGE = replace(_SCRIPTS, releases=("0.6.2",), methods={"dpo": _DPO, "orpo": _ORPO})
_FEWSHOT = replace(_ORPO_STAGE, releases=("0.6.3", "0.7.0"), vanilla="fewshot")
_FIRST_COMMAND = replace(
    _FEWSHOT,
    releases=("0.7.1",),
    package="llamafactory",
    train="llamafactory-cli train",
    export="llamafactory-cli export",
)
_COLUMNS = replace(
    _FIRST_COMMAND,
    releases=("0.8.0", "0.8.1", "0.8.2"),
    empty_ends=True,
    torchrun=True,
    preference_form="columns",
    methods={method: {name: name for name in _DPO} for method in ("dpo", "orpo", "simpo")},
)
_EMPTY = replace(_COLUMNS, releases=("0.8.3", "0.9.0"), vanilla="empty")
_LONGER = replace(_EMPTY, releases=("0.9.1",), cutoff_len=2048)
_NO_TEMPLATE = replace(_LONGER, releases=("0.9.2",), vanilla=None, empty_ends=False)
_OVERRIDES = replace(_NO_TEMPLATE, releases=("0.9.3", "0.9.4", "0.9.5"), overrides=True)

FAMILIES = (
    _SCRIPTS,
    _ORPO_STAGE,
    _FEWSHOT,
    _FIRST_COMMAND,
    _COLUMNS,
    _EMPTY,
    _LONGER,
    _NO_TEMPLATE,
    _OVERRIDES,
)
"""Releases that behave alike, oldest first, read from their own code; each is the one before, changed."""

RELEASES = tuple(release for family in FAMILIES for release in family.releases)
"""All known releases, oldest first."""


def for_version(number: str) -> Version:
    """What is known of a version of LLaMA-Factory.

    Args:
        number: A release (`0.8.3`; `0.9.5.dev0` counts as `0.9.5`), or a series (`0.8`, `0.8.x`),
            which means its newest release.

    Raises:
        UserError: It is not a version, or none of the known ones.
    """
    release = _release(number)
    for family in FAMILIES:
        if release in family.releases:
            return replace(family, number=release)
    raise _unknown(number)


def for_installed(number: str) -> Version:
    """What is known of an installed version; of one newer than all that are known, what is of the newest.

    Raises:
        UserError: It is not newer, and not known either.
    """
    try:
        newer = Number(number).release > Number(NEWEST).release
    except InvalidVersion:
        newer = False
    return for_version(NEWEST if newer else number)


def _release(number: str) -> str | None:
    """The known release a user means; None if there is none."""
    try:
        parsed = Number(number.removesuffix(".x"))
    except InvalidVersion:
        raise _unknown(number) from None
    if len(parsed.release) == 2 or number.endswith(".x"):
        series = [release for release in RELEASES if Number(release).release[:2] == parsed.release]
        return series[-1] if series else None
    return parsed.base_version


def _unknown(number: str) -> UserError:
    return UserError(
        f'LLaMA-Factory "{number}" is not known here', hint=f"Known versions: {', '.join(RELEASES)}"
    )
