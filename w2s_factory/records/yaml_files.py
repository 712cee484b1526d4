"""YAML files that people write (experiments, training configs, presets), read with the lines of mistakes.

Values resolve as in OmegaConf, with which LLaMA-Factory reads its configs; written YAML reads the same under
PyYAML and OmegaConf.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from w2s_factory.errors import UserError
from w2s_factory.records.reader import read_text

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 2**20
"""Bytes of the largest YAML file that is read; usual ones have a few thousand."""

_MOST_VALUES = 100_000
"""Values of the largest YAML file that is read, with its aliases expanded."""


class Loader(yaml.SafeLoader):
    """A loader that resolves values as OmegaConf does: `1e-5` is a number, `2024-01-01` is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as PyYAML has it
        first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.SafeDumper):
    """A dumper that quotes texts such as `1e5`, which `Loader` and OmegaConf would read as numbers."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Return a text's node; Unicode line breaks are escaped, which PyYAML would read as blanks."""
        style = '"' if any(character in data for character in "\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)

for _kind in (Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )


@dataclass(frozen=True)
class YamlFile:
    """The content of a YAML file of `key: value` lines.

    Attributes:
        path: The file.
        text: Its text.
        root: Its keys and values with their lines.
        values: Its values by key.
    """

    path: Path
    text: str
    root: yaml.MappingNode
    values: dict[str, Any]


def read_yaml(path: str | Path, *, missing: Callable[[Path], str] | None = None) -> YamlFile:
    """Read a YAML file of different keys that are texts.

    Args:
        path: The file.
        missing: A function that returns the hint for a file that does not exist.

    Raises:
        UserError: The file cannot be read, is not plain YAML or not a mapping, or has a duplicate key; with
            its line.
    """
    path = Path(path)
    text = read_text(path, largest=LARGEST, missing=missing)
    try:
        root = yaml.compose(text, Loader)
        if not isinstance(root, yaml.MappingNode):
            raise UserError("expected `key: value` lines", file=path)
        _check(root, path)
        return YamlFile(path, text, root, yaml.load(text, Loader))  # noqa: S506  a SafeLoader
    except RecursionError:
        raise UserError("is nested too deeply, or contains itself", file=path) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        raise UserError(f"is not YAML ({_problem(error)})", file=path, line=line) from None
    except ValueError as error:  # such as the number 0b_
        raise UserError(f"holds a value YAML cannot read ({error})", file=path) from None


def dump_yaml(value: Any, *, on_one_line: bool = False, style: str | None = None) -> str:
    """Return a value as YAML that reads the same under PyYAML, OmegaConf and `Loader`.

    Args:
        value: Plain values.
        on_one_line: Whether to write lists and mappings in brackets, on one line of any length, with sorted
            keys; otherwise keys keep their order.
        style: The style of texts and numbers, as `default_style` of `yaml.dump`; None for the plainest.
    """
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=on_one_line,
        default_flow_style=on_one_line,
        default_style=style,
        width=math.inf if on_one_line else None,
    )
    return text


def parse_value(text: str) -> Any:
    """Return one value written as YAML, as on a command line.

    Raises:
        ValueError: It is not plain YAML; with the parser's message.
    """
    try:
        return yaml.load(text, Loader)  # noqa: S506  a SafeLoader
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except yaml.YAMLError as error:
        raise ValueError(_problem(error)) from None


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or "broken")


def _check(root: yaml.Node, path: Path) -> None:
    """Refuse duplicate keys, keys that are not text, and aliases that expand a small file to many values.

    PyYAML would keep the last of duplicate keys without a message.
    """
    sizes: dict[int, float] = {}

    def size(node: yaml.Node) -> float:
        """Return the number of values of a node with its aliases expanded; each node is visited once."""
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # until it is known not to contain itself
            if isinstance(node, yaml.MappingNode):
                _check_keys(node, path)
                inner = [value for _, value in node.value]
            else:
                inner = node.value if isinstance(node, yaml.SequenceNode) else []
            sizes[id(node)] = 1 + sum(map(size, inner))
        return sizes[id(node)]

    values = size(root)
    if values == math.inf:
        raise UserError("contains itself through an alias", file=path)
    if values > _MOST_VALUES:
        raise UserError(f"expected at most {_MOST_VALUES:,} values, got more through its aliases", file=path)


def _check_keys(node: yaml.MappingNode, path: Path) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise UserError("expected a key that is text", file=path, line=line)
        if key.value in seen:
            raise UserError("duplicate key", file=path, line=line, field=str(key.value))
        seen.add(key.value)
