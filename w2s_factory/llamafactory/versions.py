"""Differences between the releases of LLaMA-Factory, as data: templates, entry points, renamed arguments.

A new release is added to the last family of `FAMILIES`, or starts a new one. If it renames an argument,
`RENAMES` gets a row; presets and settings in the earlier name are translated. Which arguments each release
knows is in `arguments.json`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from packaging.version import InvalidVersion
from packaging.version import Version as Number

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.preference_methods import METHODS

if TYPE_CHECKING:
    from w2s_factory.records import PairForm


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of LLaMA-Factory, with the facts that matter to those who support several versions.

    Attributes:
        number: The release (`0.8.3`).
        releases: All releases that share the other facts.
        package: The name of its Python package, and of its distribution on PyPI.
        vanilla: The template that gives exactly prompt, response, EOS for one turn: `vanilla` itself, or
            the one that `vanilla` can be made an alias of; None where no template does, and a bare
            `register_template(name="vanilla")` is needed.
        empty_ends: Whether its template `empty` trains EOS.
        train: The command that starts a training: a script of its repository, or `llamafactory-cli`.
        export: The command that merges adapters, likewise.
        torchrun: Whether its command starts torchrun by itself: where it sees several devices, or with
            `FORCE_TORCHRUN=1`.
        overrides: Whether it takes `key=value` arguments after the YAML.
        pair_form: The form in which it reads preference pairs.
        ray_cpus: The number of CPUs that it reserves of Ray for each device; None where it reserves none.
        cutoff_len: Its default for `cutoff_len`: the length, in tokens, at which rows are cut.
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
    ray_cpus: int | None = None
    pair_form: PairForm
    cutoff_len: int = 1024

    @property
    def command_line(self) -> bool:
        """Return whether it comes with the command `llamafactory-cli`."""
        return self.train.startswith("llamafactory-cli")

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the names of the preference methods that it has."""
        place = RELEASES.index
        return tuple(name for name, method in METHODS.items() if place(method.since) <= place(self.number))


_SCRIPTS = Version(  # the published SFT and DPO used 0.5.0, ORPO 0.6.2
    releases=("0.5.0", "0.5.1", "0.5.2", "0.5.3", "0.6.0", "0.6.1", "0.6.2"),
    package="llmtuner",
    vanilla="vanilla",
    train="python src/train_bash.py",
    export="python src/export_model.py",
    pair_form="release",
)
_FEWSHOT = replace(_SCRIPTS, releases=("0.6.3", "0.7.0"), vanilla="fewshot")
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
    pair_form="columns",
)
_EMPTY = replace(_COLUMNS, releases=("0.8.3", "0.9.0"), vanilla="empty")
_LONGER = replace(_EMPTY, releases=("0.9.1",), cutoff_len=2048)
_NO_TEMPLATE = replace(_LONGER, releases=("0.9.2",), vanilla=None, empty_ends=False)
_OVERRIDES = replace(_NO_TEMPLATE, releases=("0.9.3", "0.9.4"), overrides=True)
_OWN_RAY = replace(_OVERRIDES, releases=("0.9.5",), ray_cpus=10)  # earlier ones leave all to Ray Train

FAMILIES: Final = (
    _SCRIPTS,
    _FEWSHOT,
    _FIRST_COMMAND,
    _COLUMNS,
    _EMPTY,
    _LONGER,
    _NO_TEMPLATE,
    _OVERRIDES,
    _OWN_RAY,
)
"""Groups of releases that behave alike, oldest first, read from their own code. Each is the one before it
with the changes named.
"""

RELEASES: Final = tuple(release for family in FAMILIES for release in family.releases)
"""All known releases, oldest first."""

NEWEST: Final = RELEASES[-1]
"""The release that is installed and tested end to end."""


class Rename(NamedTuple):
    """An argument that earlier releases know by another name; `arguments.json` has the releases of each name.

    Attributes:
        earlier: Its earlier name.
        newest: Its name in the newest release.
        stage: The only stage that the earlier name was for; None if it was for all of them.
    """

    earlier: str
    newest: str
    stage: str | None = None


RENAMES: Final = (
    Rename("dpo_loss", "pref_loss", stage="dpo"),
    Rename("dpo_beta", "pref_beta", stage="dpo"),
    Rename("dpo_ftx", "pref_ftx", stage="dpo"),
    Rename("orpo_beta", "pref_beta", stage="orpo"),
)
"""Every argument of the presets and of settings that some release renamed."""


def newest_name(argument: str) -> str:
    """Return the newest name of an argument that is given by its newest or an earlier name."""
    return next((rename.newest for rename in RENAMES if rename.earlier == argument), argument)


def for_version(number: str) -> Version:
    """Return the facts about a version of LLaMA-Factory.

    Args:
        number: A release (`0.8.3`; `0.9.5.dev0` counts as `0.9.5`), or a series (`0.8`, `0.8.x`),
            which means its newest release.

    Raises:
        UserError: It is not a version, or not a known one.
    """
    release = _release(number)
    for family in FAMILIES:
        if release in family.releases:
            return replace(family, number=release)
    raise _unknown(number)


def for_installed(number: str) -> Version:
    """Return the facts about an installed version; for one newer than all known ones, those of the newest.

    Raises:
        UserError: It is not newer, and not known either.
    """
    try:
        newer = Number(number).release > Number(NEWEST).release
    except InvalidVersion:
        newer = False
    return for_version(NEWEST if newer else number)


def _release(number: str) -> str | None:
    """Return the known release that a user means; None if there is none."""
    try:
        parsed = Number(number.removesuffix(".x"))
    except InvalidVersion:
        raise _unknown(number) from None
    if len(parsed.release) == 2 or number.endswith(".x"):
        series = [release for release in RELEASES if Number(release).release[:2] == parsed.release]
        return series[-1] if series else None
    return parsed.base_version


def _unknown(number: str) -> UserError:
    """Return the error for a version that is not known."""
    return UserError(
        f'LLaMA-Factory "{number}" is not a version that this package knows',
        hint=f"Known versions: {', '.join(RELEASES)}",
    )
