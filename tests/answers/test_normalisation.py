"""The published normalisation, oddities included."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.answers import normalisation
from w2s_factory.answers.normalisation import normalise


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1,234", "1234"),
        ("-615,000", "-615,000"),
        ("74,39", "7439"),
        ("3 1/2", "31/2"),
        ("banana 4", "banan4"),
        (r"\infty", r"\iny"),
        (r"\left(1, 2\right)", r"\le(1,2\right)"),
        ("issue", "is"),
        ("x = 5", "5"),
        ("a=b=3", "3"),
        ("5.0", "5"),
        ("5.00", "5"),
        ("3.000", "3.000"),
        ("-3.0", "-3.0"),
        ("5%", "5"),
        ("-5%", "-5%"),
        (r"5\%", "5"),
        ("0.50", "0.50"),
        ("$12", "12"),
        ("cost is $5$ dollars", "5"),
        ("$x$ and $y$", "x"),
        ("sqrt$", "sqrt{}"),
        (r"\dfrac12", r"\dfrac{1}{2}"),
        (r"\frac{1}{2}", r"\frac{1}{2}"),
        (r"\sqrt2", r"\sqrt{2}"),
        (r"\sqrt[3]{2}", r"\sqrt{[}3]{2}"),
        (r"\text{east}", "east"),
        (r"\text{a}\text{b}", "ab"),
        (r"\textbf{(C)}", "(C)"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        ("12 cm", "12"),
        ("A", "a"),
        ("H", "H"),
        ("\u0663,\u0664", "\u0663\u0664"),  # digits are what str.isdigit says
        ("\u00b2.0", "\u00b2"),
        ("", ""),
    ],
)
def test_published_form(answer, expected):
    assert normalise(answer) == expected


def by_expressions(answer):
    """The same with regular expressions, of which some take time quadratic in the length."""
    answer = answer.split("=")[-1]
    for old, new in normalisation._SUBSTITUTIONS:
        answer = answer.replace(old, new)
    for old in normalisation._REMOVED:
        answer = answer.replace(old, "")
    answer = re.sub(r"(.*?)(\$)(.*?)(\$)(.*)", r"$\3$", answer)
    for command in ("text", "textbf", "overline"):
        answer = re.sub(rf"(\\{command}\{{)(.*?)(\}})", r"\2", answer)
    answer = re.sub(r"(\\boxed\{)(.*)(\})", r"\2", answer)
    answer = re.sub(r"(frac)([^{])(.)", r"frac{\2}{\3}", answer)
    answer = re.sub(r"(sqrt)([^{])", r"sqrt{\2}", answer).replace("$", "")
    if answer.replace(",", "").isdigit():
        answer = answer.replace(",", "")
    for length, ending in ((2, ".0"), (3, ".00"), (1, "%")):
        if answer.endswith(ending) and answer[:-length].isdigit():
            answer = answer[:-length]
    return answer.lower() if answer in list("ABCDEFG") else answer


PIECES = [
    *(
        r"\text{",
        r"\textbf{",
        r"\overline{",
        r"\boxed{",
        "}",
        "{",
        "$",
        "\n",
        "frac",
        "sqrt",
        "\\",
        ",",
        ".0",
        ".",
    ),
    *(
        "0",
        "12",
        "=",
        "%",
        " ",
        "a ",
        "an ",
        "ft",
        "\\$",
        "mbox",
        "\\text{and}",
        "x",
        "B",
        "square",
        "\\;",
        "units",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_equals_the_regular_expressions(answer):
    assert normalise(answer) == by_expressions(answer)


@given(st.text(max_size=30))
def test_takes_any_text(answer):
    assert normalise(answer) == by_expressions(answer)


@pytest.mark.release
def test_the_table_is_the_published_one():
    if "W2S_RELEASE" not in os.environ:
        pytest.skip("W2S_RELEASE does not name the published release")
    path = Path(os.environ["W2S_RELEASE"], "../release_facts/minerva_normalization.json")
    if not path.is_file():
        pytest.skip("no facts beside the release")
    table = json.loads(path.read_text())
    assert [list(pair) for pair in normalisation._SUBSTITUTIONS] == table["substitutions"]
    assert list(normalisation._REMOVED) == table["removed_expressions"]
