"""Paths on the command line: none is empty, and few may be `-`, the standard output."""

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


class CheckedPath(click.Path):
    """A path that is not empty, nor `-` where that means nothing."""

    def __init__(self, kind: click.ParamType[Any], *, to_stdout: bool) -> None:
        super().__init__(path_type=Path if getattr(kind, "func", None) is Path else None)
        self._kind, self._to_stdout = kind, to_stdout

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises:
            UserError: It is empty, of which Python would make the working folder; or it is `-`.
        """
        if str(value) == "":
            self.fail("expected a path, got an empty text", param, ctx)
        if str(value) == DASH and not self._to_stdout:
            problem = "expected a path, got -, and this is not read from the standard input"
            if param is not None and param.name in _WRITTEN:
                problem = "- would be the standard output, to which this is not written"
            named = None if param is None else param.human_readable_name
            if isinstance(param, click.Option):
                named = param.opts[0]
            raise UserError(problem, field=named, hint="Name a file or folder")
        return self._kind.convert(value, param, ctx)


def check_paths(command: click.Command, name: str) -> None:
    """Have a command check its paths: `-` is taken by the options in `TO_STDOUT` only."""
    for parameter in command.params:
        if _is_path(parameter):
            parameter.type = CheckedPath(parameter.type, to_stdout=(name, parameter.name) in TO_STDOUT)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        check_paths(inner, name)


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
    """Whether a parameter takes a path that is not checked yet."""
    kind = parameter.type
    is_path = isinstance(kind, click.Path) or getattr(kind, "func", None) is Path
    return is_path and not isinstance(kind, CheckedPath)
