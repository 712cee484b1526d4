"""Responses are scored in each mode; what a limit ended is wrong and says so."""

from __future__ import annotations

import os
from importlib import metadata

import pytest

import w2s_factory
from w2s_factory import Scored, UserError
from w2s_factory.answers import comparison
from w2s_factory.answers.comparison import Comparison
from w2s_factory.answers.limits import Verdict
from w2s_factory.scoring.results import decide
from w2s_factory.tasks.gsm8k import Gsm8k


@pytest.mark.parametrize(
    ("task", "response", "answer", "mode", "expected"),
    [
        ("gsm8k", "So 5.\n#### 5.0", "5", "published", Scored("5", "5", True)),
        ("gsm8k", "So 5.\n#### 0.50", "0.5", "published", Scored("0.50", "0.5", False)),
        ("gsm8k", "So 5.\n#### 0.50", "0.5", "symbolic", Scored("0.50", "0.5", True)),
        ("gsm8k", "So 5.\n#### 0.50", "0.5", "math-verify", Scored("0.50", "0.5", True)),
        ("gsm8k", "I do not know", "5", "published", Scored("", "5", False)),
        ("gsm8k", "I do not know", "5", "symbolic", Scored("", "5", False)),
        ("gsm8k", "I do not know", "5", "math-verify", Scored("", "5", False)),
        ("math", "The answer is: x<3", "x<3", "published", Scored("x<3", "x<3", True)),
        ("math", "The answer is: x<3", "x<3", "symbolic", Scored("x<3", "x<3", False)),
        ("math", "The answer is: x<3", "x<3", "math-verify", Scored("x<3", "x<3", True)),
        ("math", r"The answer is: \sqrt{4}", "2", "symbolic", Scored(r"\sqrt{4}", "2", True)),
        (
            "math",
            r"The answer is: (-\infty,2)",
            r"(-\infty, 2)",
            "math-verify",
            Scored(r"(-\iny,2)", r"(-\iny,2)", True),
        ),
        ("math", "The answer is: 2^{99999}", "5", "symbolic", Scored("2^{99999}", "5", False, "exponent")),
        ("math", "The answer is: " + "{" * 99, "5", "math-verify", Scored("{" * 99, "5", False, "nesting")),
        ("math", "The answer is: " + "{" * 99, "{" * 99, "published", Scored("{" * 99, "{" * 99, True)),
    ],
)
def test_score_response(task, response, answer, mode, expected):
    assert w2s_factory.score_response(task, response, answer, mode=mode) == expected


def test_another_answer_key():
    assert w2s_factory.score_response("gsm8k", "Answer is 4", "4", answer_key="Answer is").result
    assert not w2s_factory.score_response("gsm8k", "#### 4", "4", answer_key="Answer is").result


def test_what_takes_too_long_is_wrong_and_says_so():
    hard = r"\int_0^{\infty}e^{-x^2}\sin(x^3)\log(x)dx"
    scored = w2s_factory.score_responses(
        "math", [f"The answer is: {hard}", "The answer is: x!"], ["1", "x!"], "symbolic", timeout=0.5
    )
    assert [(one.result, one.limit) for one in scored] == [(False, "time"), (True, None)]


ITSELF = {
    "2^2,3,5": True,
    "(x^2,100)": True,
    "x^2,1000": True,
    "2^{1,000}": True,
    "2^{99999}": True,
    "1" * 1001: True,
    "{" * 99: True,
    r"\frac{1}{0}": False,
    "x<3": False,
}


@pytest.mark.parametrize(("answer", "expected"), ITSELF.items())
def test_equal_texts_skip_the_limits_but_not_the_comparison(answer, expected):
    scored = w2s_factory.score_response("math", f"The answer is: {answer}", answer, "symbolic")
    assert (scored.result, scored.limit) == (expected, None)


@pytest.mark.parametrize("answer", ["2^2,3,5", "(x^2,100)", "x^2,1000", "2^{1,000}", "2^{99999}", "x<3"])
def test_equal_texts_skip_the_limits_of_math_verify(answer):
    scored = w2s_factory.score_response("math", f"The answer is: {answer}", answer, "math-verify")
    assert (scored.result, scored.limit) == (True, None)


def hangs(pred, gold):
    """A comparison that never ends."""
    while True:
        pass


def dies(pred, gold):
    """A comparison that ends its process."""
    os._exit(1)


@pytest.mark.parametrize(("compare", "limit", "timeout"), [(hangs, "time", 0.2), (dies, "crash", 30)])
def test_equal_texts_are_right_where_the_worker_is_killed(compare, limit, timeout):
    how = Comparison(lambda pred, gold: None, compare, lambda: None)
    pairs = [
        ("x!", "x!"), ("x!", "y!"), ("x<3", "x<3"), (r"\frac{1}{0}", r"\frac{1}{0}"), ("0^{-1}", "0^{-1}"),
        (r"\infty", r"\infty"),
    ]  # fmt: skip
    found = decide(pairs, how, timeout=timeout)
    assert found == {pair: Verdict(True) if pair == ("x!", "x!") else Verdict(False, limit) for pair in pairs}
    own = Comparison(lambda pred, gold: None, compare, lambda: None, parses=False)
    assert decide(pairs[:1], own, timeout=timeout) == {pairs[0]: Verdict(False, limit)}


def test_as_many_answers_as_responses():
    with pytest.raises(UserError, match=r"as many answers as responses \(2\), got 1"):
        w2s_factory.score_responses("gsm8k", ["a", "b"], ["1"])


@pytest.mark.parametrize(
    ("response", "answer", "options", "message"),
    [
        (None, "b", {}, 'field "response": expected text, got None'),
        ("a", 3, {}, 'field "answer": expected text, got 3 (int)'),
        ("a", "b", {"answer_key": 3}, 'field "answer_key": expected text, got 3 (int)'),
    ],
)
def test_an_argument_that_is_not_text_is_named(response, answer, options, message):
    with pytest.raises(UserError) as refused:
        w2s_factory.score_response("gsm8k", response, answer, **options)
    assert str(refused.value) == message


def test_an_unknown_mode_and_task():
    with pytest.raises(UserError, match="published, symbolic, math-verify"):
        w2s_factory.score_response("gsm8k", "#### 1", "1", mode="sympolic")
    with pytest.raises(UserError, match="gsm8k"):
        w2s_factory.score_response("gsm8", "#### 1", "1")


class Words(Gsm8k):
    """A task of one's own: the last word, compared without case."""

    def extract(self, response, answer_key=None):
        return response.split()[-1]

    def normalise(self, answer):
        return answer.strip(".").lower()


class Slow(Words):
    """One whose comparison hangs on some answers."""

    slow_comparison = True

    def equal(self, pred, gold):
        while pred == "never":
            pass
        return pred[0] == gold[0]


def of(kind):
    return kind(name="own", raw_form=w2s_factory.get_task("gsm8k").raw_form)


def test_a_task_brings_its_own_extraction_and_comparison():
    assert w2s_factory.score_response(of(Words), "It is Blue.", "blue") == Scored("blue", "blue", True)
    scored = w2s_factory.score_responses(
        of(Slow), ["it is bleu", "never", "it is red"], ["Blue", "never", "Blue"], timeout=0.5
    )
    assert [(one.result, one.limit) for one in scored] == [(True, None), (False, "time"), (False, None)]
    assert w2s_factory.score_response(of(Words), "it is 1/2", "0.5", "symbolic").result


@pytest.mark.parametrize("version", ["4.13.2", "4.9.3"])
def test_symbolic_refuses_another_parser(version, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    with pytest.raises(UserError, match=r"got 4.*pip install 'antlr4-python3-runtime==4\.11\.\*'"):
        w2s_factory.score_response("gsm8k", "#### 1", "1", mode="symbolic")


@pytest.mark.parametrize(
    ("mode", "package", "command"),
    [
        ("symbolic", "antlr4", r"pip install 'antlr4-python3-runtime==4\.11\.\*'"),
        ("symbolic", "sympy", "pip install sympy"),
        (
            "math-verify",
            "math_verify",
            r"Install the extra math-verify: .* -m pip install -c .*\[math-verify\]",
        ),
    ],
)
def test_a_missing_package_is_named_with_its_command(mode, package, command, monkeypatch):
    there = comparison.find_spec
    monkeypatch.setattr(comparison, "find_spec", lambda name: None if name == package else there(name))
    with pytest.raises(UserError, match=f"{package} is not installed.*{command}"):
        w2s_factory.score_response("gsm8k", "#### 1", "1", mode=mode)


@pytest.mark.parametrize(
    ("gold", "pred", "symbolic", "math_verify"),
    [
        (r"\sqrt[3]{27}", "3", False, True),
        (r"\sum_{i=1}^{3} i", "6", False, True),
        ("x=1", "y=1", True, False),
    ],
)
def test_what_the_normalisation_changes_is_compared_so(gold, pred, symbolic, math_verify):
    """`symbolic` compares what the published normalisation leaves, `math-verify` the answers as written."""
    response = f"The answer is: {pred}"
    assert w2s_factory.score_response("math", response, gold, mode="symbolic").result is symbolic
    assert w2s_factory.score_response("math", response, gold, mode="math-verify").result is math_verify
