r"""Common LaTeX shapes read without antlr, as SymPy's `parse_latex` (1.14, antlr 4.11) reads them.

The reader answers only where it is sure: an expression, or that `parse_latex` refuses the text. The
rest (functions, relations, `|`, `!`, `\{`) it leaves to `parse_latex`. What holds for both:

- a single letter or a command that is no keyword is a symbol; `d` and a letter are one (`dx`);
- `x` between two numbers is a multiplication sign; other neighbours are multiplied, from the right;
- operators group from the left, powers too; `:` divides; `1,234` is a number;
- `16.` is read as `1`, its digits being numbers of their own for want of a decimal part;
- reading stops silently before what it can't use, unless that lies in the first operand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from w2s_factory.scoring import grammar, shapes

if TYPE_CHECKING:
    from w2s_factory.scoring.shapes import Node

_LONGEST = 100
_DEEPEST = 8


class Refused:
    """What `parse_latex` raises an exception for."""


REFUSED: Final = Refused()


def read_latex(text: str) -> Node | Refused | None:
    """What `parse_latex` makes of `text`; None where only it can tell."""
    text = grammar.IGNORED.sub("", text.strip())
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


class _Reader:
    """A recursive descent, one method for each rule of the grammar that is known here."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.must_close = False  # inside a bracket of the first operand, which reading can't stop before

    def whole(self) -> Node:
        if grammar.NEVER_FIRST.match(self.text) or grammar.NO_TOKEN.match(self.text):
            raise _RefusedError
        if number := grammar.WHOLE_WITH_STOP.match(self.text):
            return _digits(*number.groups())
        node = self.sum()
        self.stop()
        if any(
            isinstance(part, shapes.Number) and grammar.LEADING_ZERO.match(part.text)
            for part in shapes.parts(node)
        ):
            raise _RefusedError  # SymPy reads digits as Python does
        return node

    def stop(self) -> None:
        """What is left over lets reading stop here, is refused, or is not known."""
        before, rest = self.text[: self.at], self.text[self.at :]
        if grammar.NO_TOKEN.match(rest):
            raise _RefusedError
        silent = (
            rest.startswith(",")
            or (rest.startswith(".") and not before[-1].isdigit())
            or (rest.startswith("_") and grammar.SIGNED_NUMBER.match(before))
        )
        if rest and not (silent and grammar.AFTER_A_STOP.match(rest)):
            raise _UnknownError

    def sum(self) -> Node:
        node = self.product()
        while self.next in ("+", "-"):
            left, plus = node, self.take() == "+"
            right = self.product()
            node = shapes.Sum(left, right) if plus else shapes.Difference(left, right)
        return node

    def product(self) -> Node:
        node: Node = self.signed()
        while (sign := self.command or self.next) in grammar.SIGNS:
            self.at += len(sign)
            node = grammar.SIGNS[sign](node, self.signed())
        return node

    def signed(self) -> Node:
        signs = grammar.SIGNS_BEFORE.match(self.text, self.at)[0]  # type: ignore[index]  # it matches nothing, too
        self.at += len(signs)
        if len(signs) > _DEEPEST:
            raise _UnknownError
        node = self.neighbours()
        for _ in range(signs.count("-")):
            node = shapes.Negative(node)
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
            node = shapes.Power(node, self.bracketed() if self.next == "{" else self.atom())
        return node

    def operand(self) -> Node:
        if self.next in grammar.CLOSING:
            return self.bracketed()
        if self.command == r"\sqrt":
            self.at += len(r"\sqrt")
            if self.next != "{":
                raise self.unexpected()
            return shapes.Root(self.bracketed())
        return self.atom()

    def atom(self) -> Node:
        if self.command in grammar.FRACTIONS:
            return self.fraction()
        if number := grammar.NUMBER.match(self.text, self.at):
            self.at = number.end()
            if self.next and self.next in "0123456789":
                raise _UnknownError  # four digits behind a comma
            return shapes.Number(number[0].replace(",", ""))
        return self.symbol()

    def fraction(self) -> Node:
        self.at += len(self.command)
        top, bottom = self.half(), self.half()
        if isinstance(bottom, shapes.Symbol) and bottom.name.startswith("d"):
            raise _UnknownError  # a derivative
        return shapes.Fraction(top, bottom)

    def half(self) -> Node:
        """The top or bottom of a fraction: in braces, or a single digit."""
        if self.next == "{":
            return self.bracketed()
        if self.next and self.next in "0123456789":
            return shapes.Number(self.take())
        raise self.unexpected()

    def bracketed(self) -> Node:
        if self.depth == 0:
            self.must_close = grammar.BEFORE_FIRST.match(self.text[: self.at]) is not None
        closing = grammar.CLOSING[self.take()]
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
        return shapes.Symbol(name)

    def name(self) -> str:
        if differential := grammar.DIFFERENTIAL.match(self.text, self.at):
            self.at = differential.end()
            return "d" + (differential[1] or differential[2])
        command = self.command
        if command in grammar.KEYWORDS or not (command or (self.next.isascii() and self.next.isalpha())):
            raise self.unexpected()
        name = command[1:] or self.next
        self.at += len(command or name)
        if subscript := grammar.SUBSCRIPT.match(self.text, self.at):
            self.at = subscript.end()
            name += f"_{{{subscript[1] or subscript[2]}}}"
        return name

    def starts_operand(self) -> bool:
        if self.command:
            return self.command in (*grammar.FRACTIONS, r"\sqrt") or self.command not in grammar.KEYWORDS
        return self.next in grammar.CLOSING or (self.next.isascii() and self.next.isalnum())

    @property
    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    @property
    def command(self) -> str:
        command = grammar.COMMAND.match(self.text, self.at)
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
        if grammar.THOUSANDS.match(self.text, self.at):
            return _UnknownError()  # another number, to SymPy
        never = self.next in ("", ",", ")", "]", "}") or grammar.NO_TOKEN.match(self.text, self.at)
        return _RefusedError() if self.must_close and never else _UnknownError()


def _digits(signs: str, digits: str) -> Node:
    """`123.` to SymPy: no decimal part comes, so each digit is a number and the last is left out."""
    if not digits:
        raise _RefusedError
    node = _multiplied([shapes.Number(digit) for digit in digits])
    for _ in range(signs.count("-")):
        node = shapes.Negative(node)
    return node


def _multiplied(nodes: list[Node]) -> Node:
    """Neighbours multiplied from the right; `x` between two numbers is itself the sign."""
    product = nodes[-1]
    for place in range(len(nodes) - 2, -1, -1):
        if place == 0 or not _is_sign(nodes[place - 1], nodes[place], nodes[place + 1]):
            product = shapes.Product(nodes[place], product)
    return product


def _is_sign(left: Node, node: Node, right: Node) -> bool:
    if any(
        isinstance(part, shapes.Negative) for around in (left, node, right) for part in shapes.parts(around)
    ):
        raise _UnknownError  # SymPy evaluates what is negated, and symbols may vanish
    return node == shapes.Symbol("x") and not (shapes.has_symbols(left) or shapes.has_symbols(right))
