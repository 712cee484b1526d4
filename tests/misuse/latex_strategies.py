"""Hypothesis strategies for answers in LaTeX, as models, calculators and golds write them."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

SKIPPED = ["", " ", r"\,", r"\!", r"\;", r"\:", "~", r"\ ", r"\quad ", r"\left", r"\right", r"\thinspace"]
"""Tokens that only set an answer, and that SymPy's lexer skips, or refuses (`~`)."""

_DIGITS = st.text("0123456789", min_size=1, max_size=17)


def _joined(*parts):
    """Texts made of one text of each strategy."""
    return st.tuples(*parts).map("".join)


def _formed(form, *parts):
    """A form with one text of each strategy at its `<>`."""
    return st.tuples(*parts).map(lambda texts: _filled(form, texts))


def _filled(form, texts):
    for text in texts:
        form = form.replace("<>", text, 1)
    return form


whole = st.one_of(st.integers(0, 12), st.integers(0, 10**6), st.integers(0, 10**30)).map(str)
signs = st.sampled_from(["", "", "", "-", "-", "+", "--"])
thousands = st.integers(0, 10**10).map("{:,}".format)
odd_digits = st.one_of(_DIGITS, _joined(st.just("0"), _DIGITS), _joined(_DIGITS, st.just(",000")))
integers = _joined(signs, st.one_of(whole, whole, thousands, odd_digits))

ratios = st.tuples(st.integers(-999, 999), st.integers(1, 999))
calculated = ratios.map(lambda ratio: repr(ratio[0] / ratio[1]))
"""A quotient as Python and calculators print it, to the last digit."""

rounded = st.tuples(ratios, st.integers(0, 12)).map(
    lambda drawn: f"{Decimal(drawn[0][0]) / Decimal(drawn[0][1]):.{drawn[1]}f}"
)
long_decimals = _joined(signs, _DIGITS, st.just("."), _DIGITS)
loose_decimals = st.one_of(_joined(st.just("."), _DIGITS), _joined(_DIGITS, st.just(".")))
decimals = st.one_of(calculated, rounded, long_decimals, loose_decimals)

fraction_commands = st.sampled_from([r"\frac", r"\frac", r"\dfrac", r"\tfrac"])
fractions = st.one_of(
    _joined(signs, fraction_commands, _formed("{<>}{<>}", integers, whole)),
    _joined(integers, st.just("/"), whole),
    _formed(r"<>\frac{<>}{<>}", whole, whole, whole),
    _formed(r"\frac<><>", st.sampled_from("0123456789"), st.sampled_from("0123456789")),
)
numbers = st.one_of(integers, integers, decimals, fractions)

symbols = st.sampled_from(
    ["x", "y", "a", "d", "dx", "e", "i", r"\pi", r"\theta", "x_1", "a_{n}", "f(x)", r"\text{km}", r"\alpha "]
)
words = st.one_of(
    st.text("abcdefghinorstxy", min_size=1, max_size=8),
    st.sampled_from([r"\text{Monday}", "east", "(C)", r"\text{(A)}", "NaN", "nan", "inf", "1e5", "True"]),
)
leaves = st.one_of(numbers, whole, whole, symbols, symbols)


def _grown(parts):
    wrappings = st.sampled_from(
        [
            "(<>)", "{<>}", "[<>]", r"\sqrt{<>}", r"\sqrt[3]{<>}", "-<>", "<>!", "|<>|", "<>^2", "<>^{-1}",
            r"\left(<>\right)", r"\frac{<>}{2}", r"\frac{<>}{0}", r"\frac{\sqrt{3}}{<>}", r"\mathrm{<>}",
        ]
    )  # fmt: skip
    operators = st.sampled_from(["+", "-", "*", "/", r"\cdot ", r"\times ", r"\div ", ":", "", "", "^", "_"])
    return st.one_of(
        _joined(parts, operators, parts),
        st.tuples(wrappings, parts).map(lambda drawn: _filled(drawn[0], drawn[1:])),
        _formed(r"\frac{<>}{<>}", parts, parts),
        _formed("<>^{<>}", parts, st.sampled_from(["2", "3", "-1", "x", "1,000", r"\frac{1}{2}"])),
    )


expressions = st.recursive(leaves, _grown, max_leaves=5)
roots = st.one_of(_formed(r"\sqrt{<>}", numbers), _formed(r"<>\sqrt{<>}", whole, whole))
relations = _joined(
    expressions, st.sampled_from(["=", "<", ">", r"\le ", r"\leq ", r"\geq ", r"\neq ", r"\in "]), expressions
)
percents = _joined(numbers, st.sampled_from(["%", r"\%", r"\\%"]))
units = _joined(
    numbers,
    st.sampled_from(["", " ", r"\,", "~"]),
    st.sampled_from(["km", r"\text{ m}", r"^\circ", r"\mathrm{~s}", "m^2", r"\$"]),
)
undefined = st.sampled_from(
    [r"\infty", r"-\infty", r"\frac{1}{0}", r"\frac{0}{0}", "0^{-1}", "0^0", r"\iny", r"\frac{x}{x-x}"]
)
commas = _joined(st.sampled_from([",", ",", ", ", "{,}", ";"]), st.sampled_from(SKIPPED))
items = st.one_of(numbers, whole, expressions, undefined)


@st.composite
def lists(draw):
    """Several items with commas, within the same, within different or within no delimiters."""
    inside = draw(items)
    for item in draw(st.lists(items, min_size=1, max_size=3)):
        inside += draw(commas) + item
    opening = draw(st.sampled_from(["", "", "(", "[", r"\left(", r"\{", r"\left\{"]))
    closing = draw(st.sampled_from(["", "", ")", "]", r"\right)", r"\}", r"\right\}"]))
    return opening + inside + closing


@st.composite
def matrices(draw):
    r"""Entries with `&` and `\\` between delimiters that match, do not match or are missing."""
    kinds = st.sampled_from(["pmatrix", "pmatrix", "bmatrix", "vmatrix", "array", ""])
    opening = draw(kinds)
    closing = opening if draw(st.booleans()) else draw(kinds)
    inside = draw(whole)
    for entry in draw(st.lists(st.one_of(numbers, symbols), min_size=1, max_size=3)):
        inside += draw(st.sampled_from(["&", r"\\", r"\\ ", "\\", ","])) + entry
    begin = rf"\begin{{{opening}}}" if opening else draw(st.sampled_from(["", r"\left(", "("]))
    return (
        begin + inside + (rf"\end{{{closing}}}" if closing else draw(st.sampled_from(["", r"\right)", ")"])))
    )


pieces = st.sampled_from(
    [
        "1", "2", "07", "3.5", "1,234", "x", "y", "d", "dx", r"\pi", r"\frac{1}{2}", r"\frac", r"\sqrt{2}", "(", ")",
        "{", "}", "[", "]", "^", "^2", "^{", "_", "_1", "+", "-", "*", "/", ":", r"\cdot", ",", ".", "%", r"\le", "!",
        "|", "=", "<", "a_1", r"\partial", "f(x)", "\u00e9", "\u0663", "?", r"\-", "&", "'", r"\{", r"\langle", r"\int",
    ]
)  # fmt: skip
soups = st.lists(st.one_of(pieces, st.sampled_from(SKIPPED)), max_size=8).map("".join)
"""Pieces of LaTeX in any order."""

answers = st.one_of(
    numbers, numbers, expressions, expressions, roots, lists(), lists(), matrices(), relations, percents, units,
    words, undefined, soups, soups, st.just(""),
)  # fmt: skip


@st.composite
def with_skipped(draw, answer):
    """An answer with tokens that lexers skip after some of its commas, signs and delimiters."""
    places = [match.end() for match in re.finditer(r"[,+=(){}&-]", answer)]
    for place in reversed(draw(st.lists(st.sampled_from(places), unique=True, max_size=3)) if places else []):
        answer = answer[:place] + draw(st.sampled_from(SKIPPED)) + answer[place:]
    return answer


def _as_fraction(number):
    """A decimal as the fraction it is; any other answer in brackets."""
    try:
        value = Fraction(number)
    except (ValueError, ZeroDivisionError):
        return f"({number})"
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


small = st.integers(-12, 12).map(str)
plain_decimals = st.tuples(st.integers(-99, 99), st.integers(0, 9)).map(
    lambda drawn: f"{drawn[0] / 8:.{drawn[1]}f}"
)
plain_fractions = _formed(r"<>\frac{<>}{<>}", st.sampled_from(["", "-"]), small, st.integers(1, 12).map(str))
plain = st.one_of(small, plain_decimals, plain_fractions)
"""Numbers of which two are often equal, and that need no parser."""


def _grown_plainly(parts):
    return st.one_of(
        _joined(parts, st.sampled_from(["+", "-", "*", "", "", ",", r"\cdot ", r"\times "]), parts),
        _formed(r"\sqrt{<>}", parts),
        _formed("(<>)", parts),
        _formed("<>^{<>}", parts, parts),
        _formed(r"\frac{<>}{<>}", parts, st.integers(1, 99).map(str)),
    )


defined = st.recursive(st.one_of(whole, symbols, words, st.just("0")), _grown_plainly, max_leaves=7)
"""Sums, products, powers and roots, most of which are certain to equal themselves."""

same_ratios = ratios.map(lambda ratio: (repr(ratio[0] / ratio[1]), rf"\frac{{{ratio[0]}}}{{{ratio[1]}}}"))
same_roots = st.integers(2, 999).map(lambda square: (repr((square / 4) ** 0.5), rf"\sqrt{{{square / 4}}}"))


@st.composite
def alike(draw):
    """Two answers that are often the same, or the same in another form."""
    pred = draw(answers)
    gold = draw(
        st.one_of(
            st.just(pred),
            st.just(pred),
            with_skipped(pred),
            st.just(_as_fraction(pred)),
            st.sampled_from([pred + "0", pred + ".0", "-" + pred, pred + ".", pred.replace("2", "(1+1)")]),
            answers,
        )
    )
    return (pred, gold) if draw(st.booleans()) else (gold, pred)


pairs = st.one_of(
    alike(), alike(), alike(), alike(), st.tuples(numbers, numbers), same_ratios, same_roots,
    st.tuples(plain, plain), st.tuples(plain, plain), defined.map(lambda text: (text, text)),
    defined.map(lambda text: (text, text)),
)  # fmt: skip
"""Predictions and golds."""

equations = _formed("<>=<>", expressions, expressions)
judged = st.one_of(
    alike(), st.tuples(numbers, numbers), same_ratios, st.tuples(equations, equations),
    equations.map(lambda text: (text, "2" + text.replace("=", "=2"))),
    st.tuples(words, words), words.map(lambda word: (word, word)),
    st.tuples(st.sampled_from("ABCD"), st.sampled_from(["A", "A: yes", "[B]", "AB", "A,B"])),
)  # fmt: skip
"""Predictions and golds for OlympicArena's judge."""
