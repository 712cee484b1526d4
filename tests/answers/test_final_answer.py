"""`--extract auto` and the other ways for chat models, case by case, and their time on hostile texts."""

from __future__ import annotations

import resource
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_factory import UserError, get_task
from w2s_factory.answers.extraction import parse_extraction
from w2s_factory.answers.thinking import split_thinking


def pred(task_name, response, *, way="auto", opened=False):
    """The normalised final answer of a response."""
    task = get_task(task_name)
    answer = split_thinking(response, opened=opened).answer
    return task.normalise(
        parse_extraction(way)(answer, task.answer_key, numbers=task_name in ("gsm8k", "arithmetic"))
    )


AUTO = [
    ("gsm8k", "She makes 9 * 2 = 18 dollars.\n\n\\boxed{18}", "18"),
    ("gsm8k", "**Final Answer**\n\\boxed{1,234}", "1234"),
    ("math", r"Thus $$\boxed{\frac{3}{4}}$$", r"\frac{3}{4}"),
    ("math", r"The set is \boxed{\{1,2,3\}}", r"\{1,2,3\}"),
    ("math", r"\boxed{10\%}", "10"),
    ("math", r"\boxed {12}", "12"),
    ("math", r"\boxed{}", ""),
    ("gsm8k", "<think>\n16 - 7 = 9, times 2 is 18. Or is it \\boxed{20}?\n</think>\nThe farm makes \\boxed{18} dollars.", "18"),
    ("gsm8k", "Plain answer without thinking: \\boxed{18}", "18"),
    ("gsm8k", "<think>\n\n</think>\n\nQuestion: how many? Answer: 4. So \\boxed{4}", "4"),
    ("math", r"<think>a</think>\boxed{1}<think>b \boxed{2}</think>So \boxed{3}", "3"),
    ("math", r"[THINK]Try 4.[/THINK]The result is \boxed{5}", "5"),
    ("math", r"<|channel|>analysis<|message|>Try \boxed{4}", ""),
    ("gsm8k", "9 * 2 = 18\n#### 18", "18"),
    ("gsm8k", "#### 18\n\nI hope this helps!", "18"),
    ("math", "The answer is: 3**", "3"),
    ("math", "**The answer is: 7**\nLet me know if you want details.", "7"),
    ("math", "Therefore, the final answer is 12.", "12"),
    ("math", "`The answer is: x+1`", "x+1"),
    ("math", "### The answer is: 8", "8"),
    ("gsm8k", "The cost is $1,250 per month", "1250"),
    ("gsm8k", "There is no way to know.", ""),
    ("gsm8k", "In 2024 there were 12 eggs; 5 broke, so 7 are left (see step 3)", "3"),
    ("gsm8k", "", ""),
    ("gsm8k", "#### 18\r\n", "18"),
    ("math", r"\boxed{\dfrac{1}{2}}", r"\dfrac{1}{2}"),
    ("math", "\\[\n\\boxed{\n15\n}\n\\]", "15"),
    ("gsm8k", "<think>x</think>", ""),
]  # fmt: skip


@pytest.mark.parametrize(("task", "response", "expected"), AUTO)
def test_the_agreed_cases(task, response, expected):
    assert pred(task, response) == expected


def test_thinking_that_the_prompt_opened():
    response = "Let me see... 9 * 2 = 18.\n</think>\n\n#### 18"
    assert pred("gsm8k", response, opened=True) == pred("gsm8k", response) == "18"
    assert pred("gsm8k", "Let me see... #### 18", opened=True) == ""


DETAILS = {
    "boxes": [
        ("math", r"\boxed{1} then \boxed{2}", "2"),
        ("math", r"\boxed{1} then \boxed{}", "1"),
        ("math", r"\boxed{1} then \boxed{ }", "1"),
        ("math", r"\boxed{1} then \boxed{\,}", "1"),
        ("math", r"\boxed{1} then \boxed{\text{}}", "1"),
        ("math", r"\boxed{1} then \boxed{2", "1"),
        ("math", "\\boxed{1} then \\boxed{\u200b}", "1"),
        ("math", "\\boxed{\ufeff1\u200b}", "1"),
        ("math", r"\boxed{1", ""),
        ("math", r"\boxed{\frac{1}{2}", ""),
        ("math", r"The answer is: 5. \boxed{}", ""),
        ("gsm8k", "#### 18\nI put it in \\boxed{}", ""),
        ("gsm8k", "18 \\boxed{", ""),
        ("math", r"\fbox{7}", "7"),
        ("math", r"\boxed{6} or \fbox{7}", "7"),
        ("math", r"\fbox{6} or \boxed{7}", "7"),
        ("math", r"\boxed{\boxed{7}}", "7"),
        ("math", r"\boxed{\fbox{7}}", "7"),
        ("math", r"\boxed{ \boxed{7}", "7"),
        ("math", r"\boxed{\{1, 2\}", ""),
        ("math", r"\boxed{x \in \{1\}}", r"x\in\{1\}"),
        ("math", r"\boxed{\}}", r"\}"),
        ("math", r"\boxed{\{1\}", ""),
        ("math", r"a } \boxed{3} {", "3"),
        ("math", r"{ a \boxed{3}", "3"),
        ("math", r"\\boxed{3}", "3"),
        ("math", r"line \\\boxed{3}", "3"),
        ("math", "\\boxed\n{3}", "3"),
        ("math", "\\boxed{\r\n15\r\n}", "15"),
        ("math", r"\boxedfoo{3} The answer is: 4", "4"),
        ("math", r"I will write \boxed. The answer is: 4", "4"),
        ("math", r"\boxed{$5$}", "5"),
        ("math", r"\boxed{x = 5}", "5"),
        ("math", r"\boxed{\text{east}}", "east"),
        ("math", r"\boxed{C}", "c"),
        ("gsm8k", r"\boxed{\$18}", "18"),
        ("gsm8k", r"\boxed{18\text{ dollars}}", "18"),
        ("gsm8k", r"\boxed{x = 18}", "18"),
        ("gsm8k", r"\boxed{9 \times 2 = 18 \text{ dollars}}", "18"),
        ("gsm8k", r"\boxed{18 = \text{the sum}}", "18"),
        ("gsm8k", r"\boxed{1{,}234}", "1234"),
        ("gsm8k", r"\boxed{1,\!234}", "1234"),
        ("gsm8k", r"\boxed{1\,234}", "1234"),
        ("gsm8k", r"\boxed{-5}", "-5"),
        ("gsm8k", r"\boxed{-\$5}", "-5"),
        ("gsm8k", r"\boxed{(-5)}", "-5"),
        ("gsm8k", r"\boxed{18 \text{ to } 20}", "18"),
        ("gsm8k", r"5 eggs, \boxed{\text{none}}", ""),
        ("gsm8k", r"\boxed{18.00}", "18"),
    ],
    "the key of gsm8k": [
        ("gsm8k", "####18", "18"),
        ("gsm8k", "#### $18", "18"),
        ("gsm8k", r"#### \$18", "18"),
        ("gsm8k", "#### **18**", "18"),
        ("gsm8k", "#### 18 dollars in 5 days", "18"),
        ("gsm8k", "#### 9 * 2 = 18 dollars", "18"),
        ("gsm8k", "#### 18. That took 3 steps.", "18"),
        ("gsm8k", "#### 17\n#### 18", "18"),
        ("gsm8k", "#### 17 #### 18", "18"),
        ("gsm8k", "####\n18", "18"),
        ("gsm8k", "####\n\n18\n\nDone in 3 steps.", "18"),
        ("gsm8k", "#### -18", "-18"),
        ("gsm8k", "#### 18 (see #### above)", "18"),
        ("gsm8k", "#### Step\nIt is 18.", "18"),
        ("gsm8k", "#### 18\n#### Check\nDone.", "18"),
        ("gsm8k", "#### Final Answer: 18", "18"),
        ("gsm8k", "##### 18", "18"),
        ("gsm8k", "#### 1,234.50", "1234.50"),
    ],
    "key and sentence": [
        ("gsm8k", "#### 17\nSo the answer is 18", "18"),
        ("gsm8k", "The answer is 17.\n#### 18", "18"),
        ("gsm8k", "The answer is 18. It took 3 steps.", "18"),
        ("gsm8k", "The answer is $18$, since 5 are left.", "18"),
        ("gsm8k", "The answer is 18 eggs. I hope this helps in 2024!", "18"),
        ("gsm8k", "The answer is approx. 18", "18"),
        ("gsm8k", "The answer is x = 18", "18"),
        ("gsm8k", "The answer is clear. She has 18.", "18"),
        ("gsm8k", "The answer is 18. The answer is right.", "18"),
        ("gsm8k", "The final answer is\n\n\\[\n18\n\\]\nin 3 days", "18"),
        ("gsm8k", "**The final answer is:**\n\n18 dollars, or 3 a day", "18"),
        ("gsm8k", "The **final answer** is **18** eggs in 3 days", "18"),
        ("gsm8k", "Bathe answer is 3, but 18 holds", "18"),
        ("math", "The answer is: 1\nThe answer is: 2", "2"),
        ("math", "THE FINAL ANSWER IS 2", "2"),
        ("math", "the answer is: 2", "2"),
        ("math", "The final answer is: 2", "2"),
        ("math", "The\nfinal answer is 2", "2"),
        ("math", "The answer is:\n2", "2"),
        ("math", "The answer is:\r\n\r\n2\r\n\r\nDone.", "2"),
        ("math", "The answer is:\n\n**2**\n\nDone.", "2"),
        ("math", "The answer is:\n- 2\n", "2"),
        ("math", "The answer is:\n> 2\n", "2"),
        ("math", "The answer is:\n```\nx+1\n```", "x+1"),
        ("math", "The answer is:\n\\[\nx+1\n\\]", "x+1"),
        ("math", "The answer is:\n$$\nx+1\n$$\nDone.", "x+1"),
        ("math", "The answer is: $x+1$, which is positive.", "x+1"),
        ("math", "The answer is $$x+1$$.", "x+1"),
        ("math", r"The answer is \(x+1\) for all x.", "x+1"),
        ("math", r"The answer is \[x+1\].", "x+1"),
        ("math", "The answer is **$x+1$**.", "x+1"),
        ("math", "The answer is: **x+1**, of course", "x+1"),
        ("math", "The answer is: __8__", "8"),
        ("math", "The answer is: *8*", "8"),
        ("math", "*The answer is: 8*", "8"),
        ("math", "**The answer is**: 8", "8"),
        ("math", "**The answer is:** 8", "8"),
        ("math", "**The answer is: 7** Let me know", "7"),
        ("math", "The answer is: 7. Let me know if that helps.", "7"),
        ("math", "The answer is: 3.5", "3.5"),
        ("math", "The answer is: 3.5.", "3.5"),
        ("math", "The answer is: 2**3", "2**3"),
        ("math", "The answer is: 12 .", "12"),
        ("math", "The answer is: \u200b12\u200b.", "12"),
        ("math", "The answer is: 12 \u2705", "12"),
        ("math", "The answer is: $12", "12"),
        ("math", r"The answer is: \$12", "12"),
        ("math", r"\textbf{The answer is: 12}", "12"),
        ("math", r"\[ \text{The answer is: } 12 \]", "12"),
        ("math", r"$\text{The answer is: }12$", "12"),
        ("math", r"The answer is: \frac{1}{2}.", r"\frac{1}{2}"),
        ("math", r"The answer is: \{1, 2\}", r"\{1,2\}"),
        ("math", "The answer is: (1, 2)", "(1,2)"),
        ("math", "The answer is: (A). Because B is wrong.", "(A)"),
        ("math", "The answer is", ""),
        ("math", "The answer is: 5. Wait. The answer is:", "5"),
        ("math", "It is 12.", ""),
        ("math", "#### 12", ""),
        ("math", "The answer is: 12<|im_end|>", "12"),
        ("math", "The answer is: 12</s>", "12"),
        ("gsm8k", "#### 12<|im_end|>\n<|im_start|>user\nNext: 13?\n#### 14", "12"),
    ],
    "numbers": [
        ("gsm8k", "10-5", "5"),
        ("gsm8k", "x-5", "5"),
        ("gsm8k", "(x)-5", "5"),
        ("gsm8k", "a[0]-5", "5"),
        ("gsm8k", "{x}-5", "5"),
        ("gsm8k", "it is -5", "-5"),
        ("gsm8k", "it is (-5)", "-5"),
        ("gsm8k", "it is =-5", "-5"),
        ("gsm8k", "it is $-5$", "-5"),
        ("gsm8k", "it is -$5", "-5"),
        ("gsm8k", "it is \u22125", "-5"),
        ("gsm8k", "10 - 5", "5"),
        ("gsm8k", "1, 2, 3", "3"),
        ("gsm8k", "1,2,3", "3"),
        ("gsm8k", "12,34", "34"),
        ("gsm8k", "1,234,567.89", "1234567.89"),
        ("gsm8k", "1234,567", "567"),
        ("gsm8k", "1,2345", "2345"),
        ("gsm8k", "12,345", "12345"),
        ("gsm8k", "it is 18.", "18"),
        ("gsm8k", "it is 18.0", "18"),
        ("gsm8k", "it is 18.50", "18.50"),
        ("gsm8k", "it is .5", ".5"),
        ("gsm8k", "5%", "5"),
        ("gsm8k", r"5\%", "5"),
        ("gsm8k", r"\$18", "18"),
        ("gsm8k", "18 dollars", "18"),
        ("gsm8k", "It costs $18.", "18"),
        ("gsm8k", "(18)", "18"),
        ("gsm8k", "$18$", "18"),
        ("gsm8k", "**18**", "18"),
    ],
    "thinking": [
        ("math", r"<think>\boxed{1}", ""),
        ("math", r"<think>a</think>\boxed{1}<think>b \boxed{2}", ""),
        ("math", r"a</think>\boxed{1}", "1"),
        ("math", r"a</think>b</think>\boxed{1}", "1"),
        ("math", r"<think>a<think>b</think>\boxed{1}", "1"),
        ("math", r"<think>try [THINK] \boxed{2}</think>\boxed{1}", "1"),
        ("math", r"<think>try [/THINK] \boxed{2}", ""),
        ("math", r"[THINK]\boxed{2}", ""),
        ("math", r"<|channel|>analysis<|message|>Try \boxed{4}<|end|><|start|>assistant<|channel|>final<|message|>\boxed{5}<|return|>", "5"),
        ("math", r"<|channel|>final<|message|>The answer is: 5<|return|>", "5"),
        ("math", r"<|channel|>analysis<|message|>a<|channel|>final<|message|>\boxed{5}", "5"),
        ("math", r"<|channel|>commentary<|message|>\boxed{4}", ""),
        ("math", r"<|channel|>final<|message|>\boxed{5}<|end|><|start|>assistant<|channel|>commentary<|message|>\boxed{4}", "5"),
        ("math", r"<|channel|>final<|message|>\boxed{4}<|channel|>final<|message|>\boxed{5}", "5"),
        ("math", r"\boxed{4}<|channel|>final", ""),
        ("math", r"<think>what is <|channel|>?</think>\boxed{5}", "5"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "response", "expected"),
    [pytest.param(*case, id=f"{name}-{place}") for name, cases in DETAILS.items() for place, case in enumerate(cases)],
)  # fmt: skip
def test_details(task, response, expected):
    assert pred(task, response) == expected


@pytest.mark.parametrize(
    ("response", "content"),
    [
        (r"\boxed{7 \boxed{}}", r"7 \boxed{}"),
        (r"\boxed{\left\{1\right\}}", r"\left\{1\right\}"),
        (r"\boxed{\left\{1\right.}", r"\left\{1\right."),
        (r"\boxed{a\\{b}}", r"a\\{b}"),
        (r"\boxed{a\\\}}", r"a\\\}"),
        ("\\boxed{x\r\n  = 1}", "x = 1"),
        (r"\boxed{\text{New York}}", r"\text{New York}"),
        ("The answer is **Paris**, the capital.", "Paris"),
        ("The answer is about **5** or `6`", "about 5 or 6"),
        ("The answer is: (**5**)", "(5)"),
        ("The answer is: Paris. It lies on the Seine.", "Paris"),
        ("The answer is: 5 * 3", "5 * 3"),
        ("The answer is: x_1", "x_1"),
        ("The answer is: about $5$ cm", "about $5$ cm"),
        (r"The answer is: x = \(5\)", "x = $5$"),
        (r"The answer is: a \\(b)", r"a \\(b)"),
        ("The answer is: $18 and she keeps $5", "$18 and she keeps $5"),
        ("The answer is: $\\$5$", r"\$5"),
        ("The \u0130 answer\nThe answer is: \u0130", "\u0130"),
    ],
)
def test_the_text_before_normalisation(response, content):
    assert parse_extraction("auto")(response, "") == content


GOLDS = ["1,234", "18.00", "$18", "18 dollars", r"\$18", "-5", "5%", "0.5", "1234567"]


@pytest.mark.parametrize("gold", GOLDS)
@pytest.mark.parametrize("form", ["\\boxed{%s}", "#### %s", "The answer is %s.", "So it is %s", "**%s**"])
def test_a_number_equals_its_gold_however_it_is_written(gold, form):
    task = get_task("gsm8k")
    box = gold.replace("$", r"\$").replace(r"\\$", r"\$").replace("%", r"\%") if "boxed" in form else gold
    assert pred("gsm8k", form.replace("%s", box)) == task.normalise(gold)


@pytest.mark.parametrize(
    ("way", "response", "expected"),
    [
        ("boxed", r"\boxed{5} The answer is: 6", "5"),
        ("boxed", "The answer is: 6", ""),
        ("number", r"\boxed{5} or 6", "6"),
        ("number", "none", ""),
        (r"regex:Answer: (\S+)", "Answer: a\nAnswer: b", "b"),
        (r"regex:A: (\S+)|B: (\S+)", "B: x", "x"),
        (r"regex:Answer: (\S+)", "none", ""),
        (r"regex:(?i)answer: (.*)", "ANSWER:  x ", "x"),
        ("regex:((?:a+)+)!", "a", ""),
        ("regex:(.*)", "x", "x"),
        ("regex:Answer: *(.*)", "Answer: 5\nAnswer:", "5"),
        (r"regex:(x)?(\d)", "1 x2 3", "3"),
        ("regex:(?P<a>x)?y", "xy y", "x"),
    ],
)
def test_other_ways(way, response, expected):
    assert parse_extraction(way)(response, "####") == expected


@pytest.mark.parametrize(
    ("way", "problem"),
    [
        ("boxd", 'no way to extract answers is called "boxd"'),
        ("regex:(", "does not compile"),
        ("regex:", "no group"),
        ("regex:(?:x)", "no group"),
        ("regex:(a){1000000000}", "does not compile: it takes too much memory"),
        (5, "expected text, got 5"),
    ],
)
def test_unknown_ways_and_wrong_patterns(way, problem):
    with pytest.raises(UserError, match=problem):
        parse_extraction(way)


def test_a_pattern_that_takes_too_long(monkeypatch):
    monkeypatch.setattr("w2s_factory.answers.extraction.REGEX_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"over 0.2 seconds on a response of 5,001 characters"):
        parse_extraction("regex:((?:a*)*)$")("a" * 5000 + "b")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_a_pattern_that_takes_too_much_memory():
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(UserError, match="too much memory on a response of 1 characters"):
        parse_extraction("regex:((?R))")("a")
    assert resource.getrlimit(resource.RLIMIT_AS) == limits


PIECES = [
    "\\boxed{", "\\fbox{", "\\boxed", "{", "}", "\\{", "\\}", "\\", "\\\\", "####", "#### ", "####\n", "#", "the answer is ",
    "The final answer is: ", "the ", "final ", "\n", "\r\n", " ", "\t", "1", ",234", "1,", "12,345", "-", ".", "1.", "=", "$", "$$", "\\(",
    "\\)", "\\[", "\\]", "**", "__", "`", "*", "_", ">", "- ", ":", "<think>", "</think>", "[THINK]", "[/THINK]",
    "<|channel|>", "<|channel|>final<|message|>", "<|channel|>final", "<|end|>", "<", "x", "\u0130", "\\text{", ",\\!", "{,}", "~",
]  # fmt: skip


def seconds(response):
    """The processor seconds of splitting a response and extracting from it, the fastest of two runs."""
    best = float("inf")
    for _ in range(2):
        start = time.process_time()
        for opened in (False, True):
            answer = split_thinking(response, opened=opened).answer
        for numbers in (False, True):
            parse_extraction("auto")(answer, "####", numbers=numbers)
        parse_extraction("auto")(response, "The answer is:", numbers=numbers)
        best = min(best, time.process_time() - start)
    return best


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=2).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=2).map("".join),
)
def test_no_repeated_text_takes_more_than_linear_time(piece, before, after):
    def text(size):
        return before + piece * (size // len(piece)) + after

    small, large = seconds(text(30_000)), seconds(text(1_000_000))
    # 33 times the text. Quadratic time would be 1,100 times as long; the least measurable time counts as 2 ms.
    assert large < 200 * max(small, 0.002)
