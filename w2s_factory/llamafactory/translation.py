"""A preset, written in the newest LLaMA-Factory's names, in those of another version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.arguments import known_arguments
from w2s_factory.llamafactory.presets import Entry, Preset
from w2s_factory.llamafactory.versions import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.llamafactory.versions import Version

LEFT_OUT = {"trust_remote_code": "that version always runs the code of a model's repository"}
"""Arguments that versions may lack, and what it means there."""

_PREFERENCE = ("pref_loss", "pref_beta", "pref_ftx")


def translated(preset: Preset, version: Version) -> Preset:
    """The preset in the version's names, with a comment in the place of what the version lacks.

    Raises:
        UserError: The version lacks the preset's method, or an argument it cannot do without.
    """
    names = _names(preset, version)
    known = known_arguments(version, training=preset.trains)
    lines: list[str | Entry] = []
    for line in preset.lines:
        if not isinstance(line, Entry):
            lines.append(line)
        elif line.key == "stage" and preset.method and "pref_loss" not in names:
            lines.append(replace(line, text=preset.method))
        elif line.key in _PREFERENCE:
            lines += [replace(line, key=names[line.key])] if line.key in names else []
        else:
            lines.append(_as_known(line, known, preset, version))
    return preset.with_lines(lines)


def renamed(settings: Mapping[str, object], preset: Preset, version: Version) -> dict[str, object]:
    """Settings with the names any version has for the method's arguments, in this version's names."""
    names = _names(preset, version)
    newest = {old: new for family in FAMILIES for new, old in _arguments(preset, family).items()}
    return {names.get(newest.get(key, key), key): value for key, value in settings.items()}


def _arguments(preset: Preset, version: Version) -> Mapping[str, str]:
    return version.methods.get(preset.method or "", {})


def _names(preset: Preset, version: Version) -> Mapping[str, str]:
    method = preset.method
    if method is None:
        return {}
    if method not in version.methods:
        first = next(family.releases[0] for family in FAMILIES if method in family.methods)
        raise UserError(
            f'LLaMA-Factory {version.number} has no method "{method}", which came with {first}',
            hint=f"Methods of {version.number}: {', '.join(version.methods)}",
        )
    return version.methods[method]


def _as_known(entry: Entry, known: frozenset[str], preset: Preset, version: Version) -> str | Entry:
    if entry.key in known:
        return entry
    if entry.key in LEFT_OUT:
        return f"# {entry.key} is left out: {LEFT_OUT[entry.key]}"
    raise UserError(
        f'preset "{preset.name}" needs an argument that LLaMA-Factory {version.number} lacks', field=entry.key
    )
