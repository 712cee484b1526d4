r"""Common LaTeX shapes read without antlr, as SymPy's `parse_latex` (1.14, antlr 4.11) reads them.

The reader answers only where it is sure: an expression, or that `parse_latex` refuses the text. The
rest (functions, relations, `|`, `!`, `\{`) it leaves to `parse_latex`. What holds for both:

- a single letter or a command that is no keyword is a symbol; `d` and a letter are one (`dx`);
- `x` between two numbers is a multiplication sign; other neighbours are multiplied, from the right;
- operators group from the left, powers too; `:` divides; `1,234` is a number;
- reading stops silently before what it can't use, unless that lies in the first operand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

_LONGEST = 100
_DEEPEST = 8

Node: TypeAlias = "Number | Symbol | Negative | Sum | Difference | Product | Quotient | Power | Fraction | Root"


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


class Refused:
    """What `parse_latex` raises an exception for."""


REFUSED: Final = Refused()


def read_latex(text: str) -> Node | Refused | None:
    """What `parse_latex` makes of `text`; None where only it can tell."""
    text = _IGNORED.sub("", text.strip())
    if len(text) > _LONGEST:
        return None
    try:
        return _Reader(text).whole()
    except _RefusedError:
        return REFUSED
    except _UnknownError:
        return None


class _RefusedError(Exception):
    """`parse_latex` raises here."""


class _UnknownError(Exception):
    """Not one of the shapes known here."""


_NUMBER = re.compile(r"(?>[0-9]+(?:,[0-9]{3})*)(?>\.[0-9]+)?")
_LEADING_ZERO = re.compile(r"0+[1-9][0-9]*\Z")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_DIFFERENTIAL = re.compile(r"d(?:([a-zA-Z])|\\([a-zA-Z]+))")
_SUBSCRIPT = re.compile(r"_(?:([a-ce-zA-Z]|[0-9]+)|\{([a-zA-Z]|[0-9]+)\})")
_IGNORED = re.compile(r"(?<=[0-9)}\]])\\-")  # a token that is skipped; elsewhere it parts others
_NO_TOKEN = re.compile(r"[^\t\n\r -~]|[%$?;#\"@~`]|&(?![=\s])|\\\\")
_SIGNS_BEFORE = re.compile(r"[+-]*")
_SIGNED_NUMBER = re.compile(r"[+-]*[0-9,.]+\Z")
_BEFORE_FIRST = re.compile(r"[+-]*(?:\\[dt]?frac|\\sqrt)?\Z")
_THOUSANDS = re.compile(r",[0-9]{3}")
_AFTER_A_STOP = re.compile(r"(?!,[0-9]{3})[0-9A-Za-z+*/^{}(),._-]*\Z")
_SIGNS = {"*": Product, r"\cdot": Product, r"\times": Product, "/": Quotient, ":": Quotient, r"\div": Quotient}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_NEVER_FIRST = re.compile(r"[)\]},.^_*/:!=<>]|\\(?:le|ge|leq|geq|neq|to)(?![a-zA-Z])|\Z")
_KEYWORDS = frozenset(
    r"""
    \thinspace \medspace \thickspace \quad \qquad \negthinspace \negmedspace \negthickspace \left \right
    \vrule \vcenter \vbox \vskip \vspace \hfil \langle \rangle \lim \to \rightarrow \Rightarrow
    \longrightarrow \Longrightarrow \int \sum \prod \exp \log \lg \ln \sin \cos \tan \csc \sec \cot \arcsin
    \arccos \arctan \arccsc \arcsec \arccot \sinh \cosh \tanh \arsinh \arcosh \artanh \lfloor \rfloor \lceil
    \rceil \sqrt \overline \times \cdot \div \frac \dfrac \tfrac \binom \dbinom \tbinom \mathit \neq \leq \le
    \leqq \leqslant \geq \ge \geqq \geqslant \infty \partial
    """.split()
)
_FRACTIONS = (r"\frac", r"\dfrac", r"\tfrac")


class _Reader:
    """A recursive descent, one method for each rule of the grammar that is known here."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.must_close = False  # inside a bracket of the first operand, which reading can't stop before

    def whole(self) -> Node:
        if _NEVER_FIRST.match(self.text) or _NO_TOKEN.match(self.text):
            raise _RefusedError
        node = self.sum()
        self.stop()
        if any(isinstance(part, Number) and _LEADING_ZERO.match(part.text) for part in parts(node)):
            raise _RefusedError  # SymPy reads digits as Python does
        return node

    def stop(self) -> None:
        """What is left over lets reading stop here, is refused, or is not known."""
        before, rest = self.text[: self.at], self.text[self.at :]
        if _NO_TOKEN.match(rest):
            raise _RefusedError
        silent = (
            rest.startswith(",")
            or (rest.startswith(".") and not before[-1].isdigit())
            or (rest.startswith("_") and _SIGNED_NUMBER.match(before))
        )
        if rest and not (silent and _AFTER_A_STOP.match(rest)):
            raise _UnknownError

    def sum(self) -> Node:
        node = self.product()
        while self.next in ("+", "-"):
            kind = Sum if self.take() == "+" else Difference
            node = kind(node, self.product())
        return node

    def product(self) -> Node:
        node = self.signed()
        while (sign := self.command or self.next) in _SIGNS:
            self.at += len(sign)
            node = _SIGNS[sign](node, self.signed())
        return node

    def signed(self) -> Node:
        signs = _SIGNS_BEFORE.match(self.text, self.at)[0]  # type: ignore[index]  # it matches nothing, too
        self.at += len(signs)
        if len(signs) > _DEEPEST:
            raise _UnknownError
        node = self.neighbours()
        for _ in range(signs.count("-")):
            node = Negative(node)
        return node

    def neighbours(self) -> Node:
        nodes = [self.power()]
        while self.starts_operand():
            nodes.append(self.power())
        return _multiplied(nodes)

    def power(self) -> Node:
        node = self.operand()
        while self.next == "^":
            self.at += 1
            node = Power(node, self.bracketed() if self.next == "{" else self.atom())
        return node

    def operand(self) -> Node:
        if self.next in _CLOSING:
            return self.bracketed()
        if self.command == r"\sqrt":
            self.at += len(r"\sqrt")
            if self.next != "{":
                raise self.unexpected()
            return Root(self.bracketed())
        return self.atom()

    def atom(self) -> Node:
        if self.command in _FRACTIONS:
            return self.fraction()
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            if self.next and self.next in "0123456789":
                raise _UnknownError  # four digits behind a comma
            return Number(number[0].replace(",", ""))
        return self.symbol()

    def fraction(self) -> Node:
        self.at += len(self.command)
        top, bottom = self.half(), self.half()
        if isinstance(bottom, Symbol) and bottom.name.startswith("d"):
            raise _UnknownError  # a derivative
        return Fraction(top, bottom)

    def half(self) -> Node:
        """The top or bottom of a fraction: in braces, or a single digit."""
        if self.next == "{":
            return self.bracketed()
        if self.next and self.next in "0123456789":
            return Number(self.take())
        raise self.unexpected()

    def bracketed(self) -> Node:
        if self.depth == 0:
            self.must_close = _BEFORE_FIRST.match(self.text[: self.at]) is not None
        closing = _CLOSING[self.take()]
        self.deeper()
        node = self.sum()
        self.depth -= 1
        if self.next != closing:
            raise self.unexpected()
        self.at += 1
        self.must_close &= self.depth > 0
        return node

    def symbol(self) -> Node:
        name = self.name()
        if self.next in ("(", "'", "_"):
            raise _UnknownError  # a function
        return Symbol(name)

    def name(self) -> str:
        if differential := _DIFFERENTIAL.match(self.text, self.at):
            self.at = differential.end()
            return "d" + (differential[1] or differential[2])
        command = self.command
        if command in _KEYWORDS or not (command or (self.next.isascii() and self.next.isalpha())):
            raise self.unexpected()
        name = command[1:] or self.next
        self.at += len(command or name)
        if subscript := _SUBSCRIPT.match(self.text, self.at):
            self.at = subscript.end()
            name += f"_{{{_subscript(subscript[1] or subscript[2])}}}"
        return name

    def starts_operand(self) -> bool:
        if self.command:
            return self.command in (*_FRACTIONS, r"\sqrt") or self.command not in _KEYWORDS
        return self.next in _CLOSING or (self.next.isascii() and self.next.isalnum())

    @property
    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    @property
    def command(self) -> str:
        command = _COMMAND.match(self.text, self.at)
        return command[0] if command else ""

    def take(self) -> str:
        self.at += 1
        return self.text[self.at - 1]

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _UnknownError

    def unexpected(self) -> Exception:
        """What is said of a next character that does not fit."""
        if _THOUSANDS.match(self.text, self.at):
            return _UnknownError()  # another number, to SymPy
        never = self.next in ("", ",", ")", "]", "}") or _NO_TOKEN.match(self.text, self.at)
        return _RefusedError() if self.must_close and never else _UnknownError()


def _subscript(text: str) -> str:
    return str(int(text)) if text.isdigit() else text


def _multiplied(nodes: list[Node]) -> Node:
    """Neighbours multiplied from the right; `x` between two numbers is itself the sign."""
    product = nodes[-1]
    for place in range(len(nodes) - 2, -1, -1):
        if place == 0 or not _is_sign(nodes[place - 1], nodes[place], nodes[place + 1]):
            product = Product(nodes[place], product)
    return product


def _is_sign(left: Node, node: Node, right: Node) -> bool:
    if any(isinstance(part, Negative) for around in (left, node, right) for part in parts(around)):
        raise _UnknownError  # SymPy evaluates what is negated, and symbols may vanish
    return node == Symbol("x") and not (has_symbols(left) or has_symbols(right))


def parts(node: Node) -> list[Node]:
    """A node and all below it."""
    found = [node]
    for part in found:  # grows as it goes
        found += [value for name in part.__slots__ if not isinstance(value := getattr(part, name), str)]
    return found


def has_symbols(node: Node) -> bool:
    """Whether there is any unknown in it."""
    return any(isinstance(part, Symbol) for part in parts(node))
