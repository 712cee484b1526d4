"""Comparison of answers with references: the modes `published`, `symbolic`, `math-verify`; verdicts in bulk.

What is certain at once is decided here; the rest goes to worker processes that can be killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from w2s_factory.answers import math_verify, symbolic
from w2s_factory.answers.limits import Verdict, exceeded
from w2s_factory.answers.shortcuts import may_be_undefined
from w2s_factory.errors import UserError
from w2s_factory.quantities import TIMEOUT, Timeout, Workers
from w2s_factory.ranges import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MODES: Final = ("published", "symbolic", "math-verify")


@dataclass(frozen=True)
class Comparison:
    """How two answers are compared.

    Attributes:
        quick: The verdict, where it is certain at once; None where it is not.
        slow: The verdict where `quick` has none, in a worker process: importable by its name.
        prepare: Imports what `slow` needs, once, before the workers are forked.
        parses: Whether answers go to a parser, so that `limits` hold for them.
        as_written: Whether the answers as written are compared, not the normalised ones.
        packages: Distributions whose versions decide verdicts.
    """

    quick: Callable[[str, str], bool | None]
    slow: Callable[[str, str], bool]
    prepare: Callable[[], None]
    parses: bool = True
    as_written: bool = False
    packages: tuple[str, ...] = ()


def comparison(mode: str, published: Callable[[], Comparison]) -> Comparison:
    """Return the comparison of that name.

    `published` is the task's own (`Task.comparison`); `symbolic` compares normalised answers as the release's
    code does with a working LaTeX parser; `math-verify` asks the Math-Verify library about the answers as
    written, since the published normalisation breaks some LaTeX.

    Raises:
        UserError: There is no such mode, or a package it needs is missing or of the wrong version.
    """
    if mode == "published":
        return published()
    if mode == "symbolic":
        need_parser()
        return Comparison(symbolic.quick, symbolic.slow, symbolic.prepare, packages=symbolic.PACKAGES)
    if mode == "math-verify":
        _need("math_verify", "pip install math-verify")
        return Comparison(
            math_verify.quick,
            math_verify.slow,
            math_verify.prepare,
            as_written=True,
            packages=math_verify.PACKAGES,
        )
    raise UserError(f'no mode "{mode}"', field="mode", hint=f"Modes: {', '.join(MODES)}")


def own_comparison(equal: Callable[[str, str], bool], *, slow: bool) -> Comparison:
    """Return the comparison by a task's `equal`: at once, or in workers if it is slow."""
    return Comparison(_never if slow else equal, equal, _nothing, parses=False)


def _never(pred: str, gold: str) -> None:
    """No verdict at once."""


def _nothing() -> None:
    """Nothing to import."""


def need_parser() -> None:
    """SymPy without its LaTeX parser would compare text in silence, as the release did.

    Raises:
        UserError: SymPy or its parser's runtime is missing or of the wrong version.
    """
    _need("sympy", "pip install sympy")
    command = "pip install 'antlr4-python3-runtime==4.11.*'"
    _need("antlr4", command)
    version = metadata.version("antlr4-python3-runtime")
    if not version.startswith("4.11"):
        raise UserError(
            f"SymPy's LaTeX parser needs the antlr runtime 4.11, here is {version}", hint=f"Run: {command}"
        )


def _need(module: str, command: str) -> None:
    if find_spec(module) is None:
        raise UserError(f"{module} is not installed", hint=f"Run: {command}")


def decide(
    pairs: Iterable[tuple[str, str]],
    how: Comparison,
    *,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
) -> dict[tuple[str, str], Verdict]:
    """Return the verdict on each distinct pair of prediction and gold.

    Equal texts are exempt from limits on what is parsed. Where the worker that compares them is killed,
    they are right, unless they hold a relation, a division or infinity: SymPy finds such answers unequal
    to themselves.

    Raises:
        UserError: A number is out of its range.
    """
    check(timeout, Timeout, "timeout")
    check(workers, Workers | None, "workers")
    verdicts = {pair: _at_once(pair, how) for pair in dict.fromkeys(pairs)}
    left = [pair for pair, verdict in verdicts.items() if verdict is None]
    if left:
        from w2s_factory.answers import workers as processes  # noqa: PLC0415  most need none

        with processes.imports():
            how.prepare()
        found = processes.run(how.slow, left, timeout=timeout, workers=workers)
        verdicts.update((pair, _unless_equal(pair, verdict, how)) for pair, verdict in found)
    return verdicts  # type: ignore[return-value]  # none is left open


def _at_once(pair: tuple[str, str], how: Comparison) -> Verdict | None:
    pred, gold = pair
    if how.parses and pred != gold and (limit := exceeded(pred) or exceeded(gold)):
        return Verdict(False, limit)
    result = how.quick(*pair)
    return None if result is None else Verdict(result)


def _unless_equal(pair: tuple[str, str], verdict: Verdict, how: Comparison) -> Verdict:
    """Return the verdict of a worker, or that equal texts are right where it was killed."""
    pred, gold = pair
    equal = how.parses and pred == gold and not may_be_undefined(gold)
    return Verdict(True) if verdict.limit and equal else verdict
