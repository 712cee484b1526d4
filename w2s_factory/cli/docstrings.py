"""Help texts where Python has dropped the docstrings they come from (`python -OO`, PYTHONOPTIMIZE=2)."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def with_help(command: click.Command, module: str) -> click.Command:
    """Return a command that has its help text, and those of its subcommands, read from the source if need be.

    Args:
        command: A command whose help is its function's docstring.
        module: The name of the module that defines it.
    """
    for one in (command, *getattr(command, "commands", {}).values()):
        if one.help is None and one.callback is not None:
            one.help = _docstrings(module).get(one.callback.__name__)
    return command


def _docstrings(module: str) -> dict[str, str | None]:
    """The docstrings of a module's functions by name; none where there is no source."""
    import ast

    spec = importlib.util.find_spec(module)
    get_source = getattr(spec.loader, "get_source", None) if spec else None
    source = get_source(module) if get_source else None
    tree = ast.parse(source or "")
    return {node.name: ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
