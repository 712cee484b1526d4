"""Answers made to hang, crash or fill the memory: each is judged in its time, whatever it holds.

The main suite draws some; `W2S_HOSTILE=10000 pytest --timeout 0 tests/answers/test_hostile.py` draws many.
"""

from __future__ import annotations

import os
import random
import re
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pebble
import pytest

from w2s_factory import get_task
from w2s_factory.answers import comparison, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = int(os.environ.get("W2S_HOSTILE", "160"))
LIMIT = 0.5
MEMORY = 1024**3 + 512 * 1024**2

TOKENS = [
    *"()[]{}^_+-*/=<>|!,.:;'\"&%$#~ \t0123456789abcdxyzEI",
    *re.findall(
        r"\S+",
        r"\frac{ \sqrt{ \int_ \sum_ \prod_ \lim_ \log \sin \infty \pi \cdot \left( \right) \text{ \boxed{ "
        r"\begin{pmatrix} \end{pmatrix} \\ \binom{ \pm \leq \partial \mathrm{ ^{ _{ 10^9 dx 1,234",
    ),
]
ODD = [*"\0\ud800\udfff\u0663\u096a\u00b2\uff11\U0001d7d9\x0b\u2028\x1b"]
HARD = [
    r"100000!",
    r"9999!",
    r"(9999!)!",
    r"9^{9^9}",
    r"9^{9^{9}}-9^{9^{9}}+1",
    r"9^9^9^9",
    r"2^{9999}^{9999}",
    r"\frac{9999^{9999}}{9998^{9998}}",
    r"\binom{9999}{5000}!",
    r"\int_0^{\infty}e^{-x^2}\sin(x^3)\log(x)dx",
    r"\int\int\int\frac{\sqrt{x+y}}{\sin(xyz)}dxdydz",
    r"\sum_{n=1}^{9999}\frac{1}{n^n}",
    r"\prod_{n=1}^{9999}(1+\frac{1}{n!})",
    r"\lim_{x\to0}\frac{\sin(\sin(\sin(x)))-x}{x^9}",
    r"(a+b+c+d+x+y+z)^{99}-(z+y+x+d+c+b+a)^{99}",
    r"(x+1)^{9999}-(x-1)^{9999}",
    r"\sin(x)^{99}\cos(y)^{99}\tan(z)^{99}+\sin(x+y+z)^{99}",
    r"\sqrt{x+\sqrt{x+\sqrt{x+\sqrt{x+\sqrt{x+\sqrt{x}}}}}}-\sqrt{1+\sqrt{2+\sqrt{3+\sqrt{5+\sqrt{7}}}}}",
    r"\frac{1}{" * 12 + "x" + "+1}" * 12,
    "|" * 30 + "x" + "|" * 30,
    "x|_{x=1}" * 40,
    "f(" * 15 + "x" + ")" * 15,
    "-" * 900 + "1",
    "1+" * 450 + "1",
    "2^{" * 15 + "2" + "}" * 15,
]


def hostile(draw: random.Random) -> str:
    """One answer of a kind drawn at random."""
    kinds = [soup, soup, soup, odd, odd, unbalanced, hard, hard, tower, deep, huge]
    return draw.choice(kinds)(draw)


def soup(draw: random.Random) -> str:
    return "".join(draw.choices(TOKENS, k=draw.randint(1, 40)))


def odd(draw: random.Random) -> str:
    return "".join(draw.choices([*ODD, *"0123456789", r"\frac{", "}"], k=draw.randint(1, 20)))


def unbalanced(draw: random.Random) -> str:
    return draw.choice("({[") * draw.randint(1, 300) + soup(draw) + draw.choice(")}]") * draw.randint(0, 300)


def hard(draw: random.Random) -> str:
    return draw.choice(["", "1+", "-", r"\frac{1}{2}"]) + draw.choice(HARD) + draw.choice(["", "+x", "!", ""])


def tower(draw: random.Random) -> str:
    height = draw.choice([2, 3, 10, 300, 10**5])
    return draw.choice(["9^{" * height + "9" + "}" * height, "^".join(["9"] * height), "9!" + "!" * height])


def deep(draw: random.Random) -> str:
    opening, closing = draw.choice(
        [("(", ")"), ("{", "}"), (r"\frac{1}{", "}"), (r"\sqrt{", "}"), (r"\text{", "}")]
    )
    depth = draw.choice([10, 20, 100, 1000, 10**6])
    return opening * depth + "1" + closing * draw.choice([depth, 0])


def huge(draw: random.Random) -> str:
    piece = draw.choice(
        ["1", "x", "$", "1,", r"\text{", r"\boxed{", "frac1", "=", r"\ ", "a ", "{", "^", "-1.", "\0"]
    )
    return piece * (draw.choice([2000, 10**6]) // len(piece))


def pairs(count: int) -> Iterator[tuple[str, str]]:
    """Hostile predictions against plain golds, themselves and each other."""
    draw = random.Random(3)
    for _ in range(count):
        pred = hostile(draw)
        yield pred, draw.choice(["2", r"\frac{1}{2}", "x^2+1", pred, hostile(draw)])


def started(pred: str, gold: str) -> bool:
    """Compare, after noting when this began."""
    with Path(os.environ["W2S_STARTS"]).open("ab") as file:
        file.write(b"%d %.6f\n" % (hash((pred, gold)), time.monotonic()))
    return COMPARE[os.environ["W2S_MODE"]](pred, gold)


COMPARE = {
    mode: comparison.comparison(mode, get_task("math").comparison).slow
    for mode in ("symbolic", "math-verify")
}


@pytest.mark.parametrize(
    "mode",
    ["published", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("symbolic", "math-verify"))],
)
def test_each_hostile_answer_is_judged_in_its_time(mode, monkeypatch):
    before = peak()  # of other tests in this process, a training say
    how = comparison.comparison(mode, get_task("math").comparison)
    slow = judged_at_once(how, mode)
    if slow:
        with tempfile.NamedTemporaryFile() as starts:
            monkeypatch.setenv("W2S_STARTS", starts.name)
            monkeypatch.setenv("W2S_MODE", mode)
            how.prepare()
            ends, verdicts = judged_by_workers(slow, monkeypatch)
            began = {
                int(key): float(at)
                for key, at in map(bytes.split, Path(starts.name).read_bytes().splitlines())
            }
        assert verdicts.keys() == set(slow)
        seconds = {pair: ends[pair] - began[hash(pair)] for pair in slow if hash(pair) in began}
        worst = max(seconds, key=seconds.get)
        print(
            f"\n{mode}: {len(slow)} in workers, longest {seconds[worst]:.2f} s, "
            f"limits {sorted({v.limit for v in verdicts.values() if v.limit})}, "
            f"over time {sum(v.limit == 'time' for v in verdicts.values())}"
        )
        assert seconds[worst] < LIMIT + 1, worst
        assert all(verdict.result is False for verdict in verdicts.values() if verdict.limit)
    assert peak() <= max(MEMORY, before)


def peak() -> int:
    """The most bytes this process, or one it waited for, has held so far."""
    return 1024 * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def judged_at_once(how, mode):
    """Judge without workers where that is possible; what is left. Each answer has its time here, too."""
    task, left = get_task("math"), []
    for pred, gold in pairs(COUNT):
        began = time.process_time()  # nothing waits here; other programs may
        extracted = task.extract(f"So it is.\nThe answer is: {pred}")
        normal = task.normalise(extracted), task.normalise(gold)
        pair = (extracted, gold) if how.as_written else normal
        verdict = comparison._at_once(pair, how)
        took = time.process_time() - began
        assert took < LIMIT + 1, (mode, took, pred[:80])
        if verdict is None:
            left.append(pair)
    return list(dict.fromkeys(left))


def judged_by_workers(slow, monkeypatch):
    """When each comparison ended, and its verdict."""
    ends = {}
    schedule = pebble.ProcessPool.schedule

    def watched(pool, function, args, **options):
        future = schedule(pool, function, args, **options)
        future.add_done_callback(lambda _: ends.setdefault(args, time.monotonic()))
        return future

    monkeypatch.setattr(pebble.ProcessPool, "schedule", watched)
    return ends, dict(workers.run(started, slow, timeout=LIMIT))
