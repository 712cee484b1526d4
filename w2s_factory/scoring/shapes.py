"""What a LaTeX answer is made of: the shapes that are read without antlr."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Node: TypeAlias = (
    "Number | Symbol | Negative | Sum | Difference | Product | Quotient | Power | Fraction | Root"
)


@dataclass(frozen=True, slots=True)
class Number:
    """Digits, perhaps with a decimal part; thousands separators are gone."""

    text: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """An unknown: `x`, `pi`, `a_{1}`, `dx`."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative:
    """Minus something."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Sum:
    """left + right."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Difference:
    """left - right."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Product:
    """left * right, with or without a sign between them."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Quotient:
    """left / right, on one line."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Power:
    """base ^ exponent."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Fraction:
    r"""\frac{top}{bottom}."""

    top: Node
    bottom: Node


@dataclass(frozen=True, slots=True)
class Root:
    r"""\sqrt{base}."""

    base: Node


def children(node: Node) -> list[Node]:
    """What a node is made of; a number or a symbol of nothing."""
    return [value for name in node.__slots__ if not isinstance(value := getattr(node, name), str)]


def parts(node: Node) -> list[Node]:
    """A node and all below it."""
    found = [node]
    for part in found:  # grows as it goes
        found += children(part)
    return found


def has_symbols(node: Node) -> bool:
    """Whether there is any unknown in it."""
    return any(isinstance(part, Symbol) for part in parts(node))
