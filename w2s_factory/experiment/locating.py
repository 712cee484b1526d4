"""Where a field stands in a YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence


def place_of(root: yaml.Node, where: Sequence[str | int], prefix: Sequence[str] = ()) -> int:
    """The line, from 1, of a field or else of the section that should hold it.

    Args:
        root: The whole file.
        where: The keys that lead to the field.
        prefix: The keys that lead to a part of the file laid over the rest: looked at first.
    """
    over, reached = _followed(root, [*prefix, *where])
    if prefix and reached == len(prefix) + len(where):
        return over
    return _followed(root, where)[0]


def _followed(node: yaml.Node, where: Sequence[str | int]) -> tuple[int, int]:
    """The line of the last key that is there, and how many are."""
    line = node.start_mark.line + 1
    for number, part in enumerate(where):
        found = _inner(node, part)
        if found is None:
            return line, number
        line, node = found
    return line, len(where)


def _inner(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item.start_mark.line + 1, item
    return None
