"""Write the reference pages of docs/: every command's help, the public API, and the tables of versions.

    python scripts/reference_pages.py

`docs/commands.md` and `docs/api.md` are written whole; in `docs/versions.md` the tables between its two
comments. A test fails while one of them differs from the code.
"""

from __future__ import annotations

import ast
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

import w2s_factory
from w2s_factory.cli import SECTIONS, group
from w2s_factory.llamafactory.arguments import known_arguments
from w2s_factory.llamafactory.versions import RELEASES, for_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from w2s_factory.llamafactory.versions import Version

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WIDTH = 100
"""Columns of the help, whatever the terminal has."""

COMMANDS_TOP = """\
# Commands

The `--help` of every command, written by `scripts/reference_pages.py`. Their errors are explained in
[troubleshooting](troubleshooting.md).
"""

API_TOP = """\
# Python API

The public names of `w2s_factory`, by subject. The list is written by `scripts/reference_pages.py` from the
docstrings. The site shows each name with its arguments; so does `help(w2s_factory.NAME)` in Python.
[From Python](python.md) explains which kinds of rows, files and tasks the functions take.
"""
"""The page's beginning; the hook of the site adds the docstrings after each table."""

SUBJECTS = {
    "Tasks": ("tasks", "building.shown_task"),
    "Generation": ("generating",),
    "Answers": ("answers",),
    "Scoring": ("scoring",),
    "Datasets": ("building", "records"),
    "Training": ("llamafactory",),
    "Experiments": ("experiment",),
    "The published release": ("release", "published"),
    "Errors": ("errors",),
}
"""The headings of the page, each with the rooms whose names it lists; a longer match wins."""


def commands_page() -> str:
    """Return the page of all commands: the help of each, as a terminal of a hundred columns shows it."""
    parts = [COMMANDS_TOP, fenced(help_of(group, "w2s-factory"))]
    for section, names in SECTIONS.items():
        parts.append(f"## {section}\n")
        for name in names:
            command = group.get_command(click.Context(group), name)
            if command is None:
                raise SystemExit(f"no command {name}")
            parts += [f"### `w2s-factory {name}`\n", fenced(help_of(command, f"w2s-factory {name}"))]
            for inner, subcommand in sorted(getattr(command, "commands", {}).items()):
                path = f"w2s-factory {name} {inner}"
                parts += [f"#### `{path}`\n", fenced(help_of(subcommand, path))]
    return "\n".join(parts)


def help_of(command: click.Command, path: str) -> str:
    """Return the help of a command, as its `--help` prints it."""
    settings = {"help_option_names": ["-h", "--help"]}
    context = click.Context(
        command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH, **settings
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines()).strip()


def fenced(text: str) -> str:
    """Return a text as a block."""
    return f"```text\n{text}\n```\n"


def public_names() -> dict[str, str]:
    """Return each public name with the module from which `__init__.pyi` takes it, in its order."""
    stub = ast.parse((ROOT / "w2s_factory" / "__init__.pyi").read_text("utf-8"))
    imports = (node for node in stub.body if isinstance(node, ast.ImportFrom))
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def subject_of(module: str) -> str:
    """Return the heading below which the names of a module are listed."""
    matches = [
        (len(room), subject)
        for subject, rooms in SUBJECTS.items()
        for room in rooms
        if f"{module}.".startswith(f"{room}.")
    ]
    return max(matches)[1]


def first_sentence(thing: Any) -> str:
    """Return the first line of a docstring, for the cell of a table."""
    return (thing.__doc__ or "").strip().partition("\n")[0].replace("|", "\\|")


def api_page() -> str:
    """Return the page of the public API: a table of names for each subject, ordered as in `__init__.pyi`."""
    listed: dict[str, list[str]] = {subject: [] for subject in SUBJECTS}
    for name, module in public_names().items():
        listed[subject_of(module)].append(name)
    parts = [API_TOP]
    for subject, names in listed.items():
        rows = [f"| `{name}` | {first_sentence(getattr(w2s_factory, name))} |" for name in names]
        parts += [f"## {subject}\n", "| name | purpose |\n|---|---|", *rows, ""]
    return "\n".join(parts)


PAIRS: Final = {"release": "one list, best first", "columns": "`chosen` and `rejected`"}
"""The ways in which versions read preference pairs, by the name that the project gives them."""

SINCE: Final = ("trust_remote_code", "enable_thinking", "ray_num_workers", "freeze_multi_modal_projector")
"""Arguments that this package writes where the version knows them."""


def preference(version: Version) -> str:
    """Return the arguments with which a version selects a preference method."""
    if "pref_loss" in known_arguments(version):
        return "`stage: dpo`, `pref_loss`, `pref_beta`"
    return ", ".join(f"`stage: {name}`, `{name}_beta`" for name in version.methods)


TABLES: Final[Sequence[Mapping[str, Callable[[Version], str]]]] = (
    {
        "a training is started with": lambda version: f"`{version.train}`",
        "equal to `vanilla`": lambda version: f"`{version.vanilla}`" if version.vanilla else "none",
        "`empty` trains EOS": lambda version: "yes" if version.empty_ends else "no",
        "torchrun": lambda version: "yes" if version.torchrun else "no",
        "overrides": lambda version: "yes" if version.overrides else "no",
        "`cutoff_len`": lambda version: f"{version.cutoff_len:,}",
    },
    {
        "preference methods": lambda version: ", ".join(f"`{name}`" for name in version.methods),
        "chosen by": preference,
        "pairs": lambda version: PAIRS[version.pair_form],
    },
)
"""The columns of the tables of versions; the page explains each."""


def versions_tables() -> str:
    """Return the tables of LLaMA-Factory's versions: a row for those releases that have the same facts."""
    return "\n".join([*map(_table, TABLES), _table_of_arguments()])


def _table(columns: Mapping[str, Callable[[Version], str]]) -> str:
    facts = {release: [fact(for_version(release)) for fact in columns.values()] for release in RELEASES}
    lines = [f"| releases | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for cells, alike in groupby(RELEASES, key=facts.__getitem__):
        releases = list(alike)
        name = releases[0] if len(releases) == 1 else f"{releases[0]} to {releases[-1]}"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _table_of_arguments() -> str:
    lines = ["| argument | known since |", "|---|---|"]
    for argument in SINCE:
        since = next(release for release in RELEASES if argument in known_arguments(for_version(release)))
        lines.append(f"| `{argument}` | {since} |")
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """Return the page of versions with its tables replaced, between two comments."""
    start, end = "<!-- versions -->\n", "<!-- end of versions -->"
    before, _, rest = page.partition(start)
    return f"{before}{start}{versions_tables()}{rest[rest.index(end) :]}"


def pages() -> dict[str, str]:
    """Return each reference page as it should be, by its name in docs/."""
    versions = (DOCS / "versions.md").read_text("utf-8")
    return {"commands.md": commands_page(), "api.md": api_page(), "versions.md": with_table(versions)}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, "utf-8")
