"""Random LaTeX answers for tests: well-formed ones, and pieces in any order."""

from __future__ import annotations

from hypothesis import strategies as st

LEAVES = st.sampled_from(
    ["0", "1", "2", "12", "07", "3.50", "1,234", "x", "y", "a", "d", "dx", r"\pi", "x_1", "a_{n}", "a_{10}"]
)
PIECES = [
    *(
        "1",
        "2",
        "x",
        "y",
        "3.5",
        "12",
        "1,234",
        "d",
        "dx",
        r"\pi",
        r"\frac{1}{2}",
        r"\frac",
        r"\sqrt{2}",
        "0",
        "07",
    ),
    *(
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "^",
        "^2",
        "^{",
        "+",
        "-",
        "*",
        "/",
        ":",
        r"\cdot",
        r"\times",
        "_",
        "_1",
        ",",
    ),
    *(
        ".",
        "%",
        r"\le",
        "!",
        "|",
        "=",
        "<",
        "a_1",
        r"\partial",
        "x(",
        "f(x)",
        "\u00e9",
        "?",
        r"\-",
        "&",
        "'",
        r"\{",
    ),
]
SIGNS = st.sampled_from(["+", "-", "*", "/", r"\cdot", r"\times", ":", r"\div", "", "", ","])


def _grown(parts):
    wrapped = st.sampled_from(["({})", "{{{}}}", "[{}]", r"\sqrt{{{}}}", "-{}", "+{}", "{}^2", "{}^{{x}}"])
    return st.one_of(
        st.tuples(parts, SIGNS, parts).map("".join),
        st.tuples(parts, parts, parts).map("".join),
        st.tuples(wrapped, parts).map(lambda pair: pair[0].format(pair[1])),
        st.tuples(parts, parts).map(lambda pair: rf"\frac{{{pair[0]}}}{{{pair[1]}}}"),
        st.tuples(parts, st.sampled_from(["2", "3", "-1", "x"])).map(
            lambda pair: f"({pair[0]})^{{{pair[1]}}}"
        ),
    )


expressions = st.recursive(LEAVES, _grown, max_leaves=6)
soups = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
words = st.text("abcdefxyz", max_size=60)
answers = st.one_of(expressions, soups, words)
