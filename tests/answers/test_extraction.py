"""The published extraction, case by case and against a reading of it as regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.answers.extraction import final_answer, last_number


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("2 + 2 = 4\n#### 4", "4"),
        ("#### 4\n", "4"),
        ("#### 4\n\nQuestion: next\n#### 5", "4"),
        ("#### 4\nThat is all.", ""),  # not on the last line
        ("####4", ""),  # no space
        ("####  4", " 4"),
        ("#### 4 #### 5", "4 #### 5"),  # the leftmost key
        ("#### 7</s>", "7"),
        ("#### 7</s> and more", "7</s> and "),  # four characters go, whatever they are
        ("The answer is 1,234.", "1234"),
        ("The answer is about -5.50 or 6", "-5.50"),
        ("The answer is 5.", "5"),
        ("The answer is: 5", ""),  # the fallback key has no colon
        ("The answer is unknown", ""),
        ("no answer", ""),
        ("", ""),
    ],
)
def test_gsm8k_responses(response, expected):
    assert final_answer(response, "####") == expected


def test_another_key():
    assert final_answer("so.\nThe answer is: \\frac{1}{2}", "The answer is:") == "\\frac{1}{2}"


def by_expressions(response, answer_key):
    """The same, as the release describes it; slow on long texts."""
    text = response.split("Question")[0].strip()
    found = re.search(re.escape(answer_key) + " (.*)$", text)
    answer = found[1] if found else ""
    if not answer:
        found = re.search("The answer is (.*)$", text)
        numbers = re.findall(r"-?\d+\.?\d*", found[1].replace(",", "")) if found else []
        answer = re.sub(r"\.$", "", numbers[0]) if numbers else ""
    return answer[:-4] if "</s>" in answer else answer


PIECES = [
    "####",
    "#### ",
    "The answer is ",
    "The answer is: ",
    "Question",
    "\n",
    " ",
    "1",
    "-2.",
    ",",
    "</s>",
    "x",
]


@given(st.lists(st.sampled_from([*PIECES, "\r", "\u2028", "\u0663"]), max_size=12).map("".join))
def test_equals_the_regular_expressions(response):
    for key in ("####", "The answer is:"):
        assert final_answer(response, key) == by_expressions(response, key)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("2 + 2 = 4.\n#### 4", "4"),
        ("2 + 2 = 4.\nSo it is \\boxed{4}.", "4"),
        ("The answer is 1,234.", "1234"),
        ("12 then -5.50", "-5.50"),
        ("4\n\nQuestion: what is 7 + 1?\n#### 8", "4"),  # a new question is not his answer
        ("none", ""),
        ("", ""),
    ],
)
def test_the_last_number_in_any_format(response, expected):
    assert last_number(response) == expected
