"""The text of `--help`: options under headings, and descriptions also where Python has dropped docstrings."""

from __future__ import annotations

import functools
import importlib.util
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable


class Option(click.Option):
    """An option that may be listed under a heading, and whose default may be shown in words."""

    def __init__(self, *args: Any, heading: str | None = None, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.heading = heading

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what the help adds in brackets; click puts a default in words into parentheses."""
        extra = super().get_help_extra(ctx)
        if isinstance(self.show_default, str):
            extra["default"] = self.show_default
        return extra


option = functools.partial(click.option, cls=Option)
"""The decorator `click.option`, for an `Option`."""


def heading(text: str) -> Callable[..., Callable[[Any], Any]]:
    """Return a decorator that works like `option` and lists its option under a heading."""
    return functools.partial(option, heading=text)


class HeadedCommand(click.Command):
    """A command whose help lists its options under headings, in the order in which these first occur."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each heading and its options; options without a heading come last."""
        headed: dict[str, list[tuple[str, str]]] = {}
        others: list[tuple[str, str]] = []
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        for each in options:
            if (record := each.get_help_record(ctx)) is None:
                continue
            title = getattr(each, "heading", None)
            (others if title is None else headed.setdefault(title, [])).append(record)
        for title, records in {**headed, "Other options": others}.items():
            with formatter.section(title):
                formatter.write_dl(records)


def with_help(command: click.Command, module: str) -> click.Command:
    """Return a command that has its help text, and those of its subcommands.

    `python -OO` and PYTHONOPTIMIZE=2 drop docstrings; the texts are read from the source then.

    Args:
        command: A command whose help is its function's docstring.
        module: The name of the module that defines it.
    """
    for described in (command, *getattr(command, "commands", {}).values()):
        if described.help is None and described.callback is not None:
            described.help = _docstrings(module).get(described.callback.__name__)
    return command


def _docstrings(module: str) -> dict[str, str | None]:
    """Return the docstrings of a module's functions by name; none where there is no source."""
    import ast

    spec = importlib.util.find_spec(module)
    get_source = getattr(spec.loader, "get_source", None) if spec else None
    source = get_source(module) if get_source else None
    tree = ast.parse(source or "")
    return {node.name: ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
