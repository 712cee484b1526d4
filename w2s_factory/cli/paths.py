"""Paths on the command line: which of them may be `-`, the standard output."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

DASH: Final = "-"

TO_STDOUT: Final = {
    ("score", "output"),
    ("vote", "output"),
    ("demos", "output"),
    ("convert-pairs", "output"),
    ("build-data", "output"),
    ("evaluate", "csv"),
}
"""Options, by command, that name one file of rows, which can go to the standard output instead."""

_WRITTEN: Final = ("output", "output_dir", "dag", "html")


def refuse_dash(command: click.Command, name: str) -> None:
    """Have a command refuse `-` as a path, but for the options in `TO_STDOUT`."""
    for parameter in command.params:
        if _is_path(parameter) and (name, parameter.name) not in TO_STDOUT:
            parameter.callback = parameter.callback or _refuse
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        refuse_dash(inner, name)


def say_on_stderr(output: object) -> bool:
    """Whether rows went to the standard output; if so, all a command still prints goes to stderr."""
    if output is None or str(output) != DASH:
        return False
    click.get_current_context().with_resource(_stdout_kept())
    return True


@contextlib.contextmanager
def _stdout_kept() -> Iterator[None]:
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _is_path(parameter: click.Parameter) -> bool:
    kind = parameter.type
    return isinstance(kind, click.Path) or getattr(kind, "func", None) is Path


def _refuse(_: click.Context, parameter: click.Parameter, value: Any) -> Any:
    for path in value if isinstance(value, tuple) else (value,):
        if str(path) == DASH:
            problem = "- would be the standard input, which is not read: inputs are read twice"
            if parameter.name in _WRITTEN:
                problem = "- would be the standard output, to which this is not written"
            raise UserError(problem, field=parameter.opts[0], hint="Name a file or folder")
    return value
