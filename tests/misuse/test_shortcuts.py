"""Every verdict found by a shortcut is SymPy's, or Math-Verify's, on generated answers.

The default suite tries some; `W2S_MISUSE=20000` tries a quarter of as many pairs for each shortcut. The slow
side runs in the package's own workers, which are killed where a comparison hangs: such a pair shows nothing.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from latex_strategies import judged, pairs, whole
from sympy import simplify, srepr
from sympy.parsing.latex import parse_latex

from w2s_factory.answers import math_verify, symbolic, workers
from w2s_factory.answers.judge import rules
from w2s_factory.answers.judge import verdict as verdict_module
from w2s_factory.answers.judge.rules import AUTOMATIC, holds
from w2s_factory.answers.shortcuts import equals_itself

BATCH = 16
TRIES = int(os.environ.get("W2S_MISUSE", "0")) // 4
TIMEOUT = 5


def plain_tree(answer):
    """The expression that `parse_latex` gives; None where it raises."""
    try:
        return parse_latex(answer)
    except Exception:  # noqa: BLE001
        return None


def plain(pred, gold):
    """The published comparison as it was meant, with nothing spared."""
    mine, theirs = plain_tree(pred), plain_tree(gold)
    if mine is None or theirs is None:
        return pred == gold
    try:
        return bool(simplify(theirs - mine) == 0)
    except Exception:  # noqa: BLE001
        return False


def as_text(tree):
    return tree if tree is None else str(tree) if isinstance(tree, list) else srepr(tree)


def is_symbolic(pred, gold):
    """Whether the symbolic mode reads two answers as SymPy does, and finds its verdict both ways."""
    trees = all(as_text(symbolic.parsed(text)) == as_text(plain_tree(text)) for text in (pred, gold))
    verdict = plain(pred, gold)
    return trees and symbolic.slow(pred, gold) is verdict and symbolic.quick(pred, gold) in (None, verdict)


def is_math_verify(pred, gold):
    return math_verify.quick(pred, gold) in (None, math_verify.slow(pred, gold))


def is_judged(pred, gold):
    """Whether the judge's verdict at once is that of its rules, and EQ's is that of the simplification."""
    at_once = verdict_module.equal_at_once(pred, gold) in (None, verdict_module.equal(pred, gold))
    if pred.count("=") != 1 or gold.count("=") != 1:
        return at_once
    by_numbers = holds(AUTOMATIC["EQ"], pred, gold)
    return at_once and by_numbers is by_simplification(pred, gold)


def by_simplification(pred, gold):
    """The verdict of EQ where no numbers are put for the symbols."""
    differ, rules._differ = rules._differ, lambda left, right: False
    try:
        return holds(AUTOMATIC["EQ"], pred, gold)
    finally:
        rules._differ = differ


CHECKS = {
    "symbolic": (is_symbolic, pairs, symbolic.quick, symbolic.prepare),
    "math-verify": (
        is_math_verify,
        st.one_of(pairs, st.tuples(whole, whole)),
        math_verify.quick,
        math_verify.prepare,
    ),
    "judge": (is_judged, judged, verdict_module.equal_at_once, symbolic.prepare),
}


@pytest.mark.parametrize("name", CHECKS)
def test_shortcuts_give_the_verdict_of_sympy(name):
    check, strategy, quick, prepare = CHECKS[name]
    found = []

    @settings(
        max_examples=max(TRIES // BATCH, 2),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(strategy, min_size=BATCH, max_size=BATCH))
    def batch(drawn):
        verdicts = list(workers.run(check, list(dict.fromkeys(drawn)), timeout=TIMEOUT))
        found.extend(verdicts)
        wrong = [pair for pair, verdict in verdicts if not verdict.result and not verdict.limit]
        assert wrong == []

    prepare()
    assert check(
        r"\frac{1}{2}x^{2}+3.5(a-\sqrt{4})", r"3.5=\text{a},1"
    )  # what parsing learns, workers inherit
    batch()
    certain = [pair for pair, verdict in found if not verdict.limit and quick(*pair) is not None]
    print(f"\n{name}: {len(found)} pairs, {len(certain)} by a shortcut, {ended(found)} ended by a limit")
    assert certain
    assert ended(found) < len(found) / 4


def ended(found):
    return sum(verdict.limit is not None for _, verdict in found)


READ_BY_SYMPY = [
    ("0.0392156862745098", r"\frac{2}{51}"),
    ("3.082207001484488", r"\sqrt{9.5}"),
    (r"(12,\,345)", "(12,345)"),
    (r"12,\,345", "12,345"),
    (r"\begin{pmatrix}1,\!000\end{bmatrix}", r"\begin{pmatrix}1,000\end{bmatrix}"),
    (r"\begin{pmatrix}1&2", r"\begin{pmatrix}1&2"),
    ("0.123456789", "0.1234567890"),
    ("0.29", r"\frac{29}{100}"),
    ("123456789012345.1", "123456789012345.2"),
    ("1.00000000000000001", "1"),
    ("00", "0"),
    ("-0", "0"),
    (r"\sqrt[0]{x}", r"\sqrt[0]{x}"),
    (r"x^{99}!", r"x^{99}!"),
]


@pytest.mark.parametrize(("pred", "gold"), READ_BY_SYMPY)
def test_verdicts_of_answers_that_are_hard_to_read(pred, gold):
    assert is_symbolic(pred, gold)
    assert is_symbolic(gold, pred)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (r"2\sqrt{3}", True),
        (r"\frac{x+\sqrt{3}}{2}", True),
        ("(3,4)", True),
        ("x^2+1", True),
        ("x=1", False),
        (r"x\le3", False),
        (r"\left[0,1\right)", True),
        (r"\frac{1}{0}", False),
        (r"\frac{1}0", False),
        (r"\frac{1}{x}", False),
        (r"\infty", False),
        ("0^{-1}", False),
        ("1:2", False),
        ("0.1+0.2", False),
        (r"\log_12", False),
        (r"\frac{" * 9999, False),
    ],
)
def test_which_equal_texts_need_no_sympy(answer, expected):
    assert equals_itself(answer) is expected
