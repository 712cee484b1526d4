"""Comparison of answers with references: the modes `published`, `symbolic`, `math-verify`; verdicts in bulk.

Certain verdicts are found at once, in this process; other comparisons go to worker processes, which can be
killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from w2s_factory.answers import math_verify, symbolic
from w2s_factory.answers.limits import Verdict, exceeded
from w2s_factory.answers.shortcuts import may_be_undefined
from w2s_factory.errors import UserError
from w2s_factory.packages import missing_extra, missing_package, pip_install
from w2s_factory.quantities import TIMEOUT, Timeout, Workers
from w2s_factory.ranges import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Mode: TypeAlias = Literal["published", "symbolic", "math-verify"]
"""A way to compare answers with references."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)

_ANTLR: Final = "antlr4-python3-runtime==4.11.*"


@dataclass(frozen=True)
class Comparison:
    """A way to decide whether an answer is equal to a reference.

    Attributes:
        quick: Returns the verdict on an answer and a reference where it is certain at once, else None.
        slow: Returns the verdict where `quick` returns None. It runs in a worker process and must be
            importable by its name.
        prepare: Imports what `slow` needs, once, before the workers are forked.
        parses: Whether answers go to a parser, so that the limits of `limits` apply.
        as_written: Whether answers are compared as written, not normalised.
        packages: The distributions whose versions decide verdicts.
    """

    quick: Callable[[str, str], bool | None]
    slow: Callable[[str, str], bool]
    prepare: Callable[[], None]
    parses: bool = True
    as_written: bool = False
    packages: tuple[str, ...] = ()


def comparison(mode: str, published: Callable[[], Comparison]) -> Comparison:
    """Return the comparison of a mode.

    `published` is the task's own (`Task.comparison`). `symbolic` compares normalised answers as the release's
    code does if its LaTeX parser works. `math-verify` passes the answers as written to the Math-Verify
    library, since the published normalisation breaks some LaTeX.

    Args:
        mode: One of `MODES`.
        published: Returns the task's own comparison.

    Raises:
        UserError: There is no such mode, or a package it needs is missing or has the wrong version.
    """
    if mode == "published":
        return published()
    if mode == "symbolic":
        need_parser()
        return Comparison(symbolic.quick, symbolic.slow, symbolic.prepare, packages=symbolic.PACKAGES)
    if mode == "math-verify":
        need_math_verify()
        return Comparison(
            math_verify.quick,
            math_verify.slow,
            math_verify.prepare,
            as_written=True,
            packages=math_verify.PACKAGES,
        )
    raise UserError(f'no mode "{mode}"', field="mode", hint=f"Modes: {', '.join(MODES)}")


def whole_answers() -> Comparison:
    """Return the comparison by Math-Verify of whole answer parts, in which its own extraction decides.

    Raises:
        UserError: The library is missing.
    """
    need_math_verify()
    return Comparison(
        math_verify.quick_texts,
        math_verify.slow_texts,
        math_verify.prepare,
        parses=False,
        as_written=True,
        packages=math_verify.PACKAGES,
    )


def own_comparison(equal: Callable[[str, str], bool], *, slow: bool) -> Comparison:
    """Return the comparison by a function of a task: at once, or in workers if it is slow."""
    return Comparison(_never if slow else equal, equal, _nothing, parses=False)


def _never(answer: str, reference: str) -> None:
    """Return no verdict, so that a worker finds it."""


def _nothing() -> None:
    """Import nothing."""


def need_parser() -> None:
    """Check that SymPy's LaTeX parser works; without it answers would be compared as text, as in the release.

    Raises:
        UserError: SymPy or the runtime of its parser is missing, or the runtime has the wrong version.
    """
    _need("sympy", "sympy")
    _need("antlr4", _ANTLR)
    version = metadata.version("antlr4-python3-runtime")
    if not version.startswith("4.11"):
        raise UserError(
            f"SymPy's LaTeX parser needs the antlr runtime 4.11, got {version}", hint=pip_install(_ANTLR)
        )


def need_math_verify() -> None:
    """Check that the Math-Verify library is installed.

    Raises:
        UserError: It is missing.
    """
    if find_spec("math_verify") is None:
        raise missing_extra("math-verify", "math_verify")


def _need(module: str, requirement: str) -> None:
    if find_spec(module) is None:
        raise missing_package(module, requirement)


def decide(
    pairs: Iterable[tuple[str, str]],
    how: Comparison,
    *,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
) -> dict[tuple[str, str], Verdict]:
    """Return the verdict on each distinct pair of answer and reference.

    Equal texts are exempt from the limits on answers. If the worker that compares them is killed, the answer
    is right unless it holds a relation, a division or infinity, which SymPy finds unequal to themselves.

    Args:
        pairs: Pairs of answer and reference.
        how: The comparison.
        timeout: Seconds that one comparison in a worker may take.
        workers: The number of worker processes; by default one for each core.

    Raises:
        UserError: A number is out of its range.
    """
    check(timeout, Timeout, "timeout")
    check(workers, Workers | None, "workers")
    verdicts = {pair: _at_once(pair, how) for pair in dict.fromkeys(pairs)}
    left = [pair for pair, verdict in verdicts.items() if verdict is None]
    if left:
        from w2s_factory.answers import workers as pool  # noqa: PLC0415  most verdicts need none

        with pool.imports():
            how.prepare()
        found = pool.run(how.slow, left, timeout=timeout, workers=workers)
        verdicts.update((pair, _unless_equal(pair, verdict, how)) for pair, verdict in found)
    return verdicts  # type: ignore[return-value]  # none of them is None any more


def _at_once(pair: tuple[str, str], how: Comparison) -> Verdict | None:
    answer, reference = pair
    if how.parses and answer != reference and (limit := exceeded(answer) or exceeded(reference)):
        return Verdict(False, limit)
    result = how.quick(*pair)
    return None if result is None else Verdict(result)


def _unless_equal(pair: tuple[str, str], verdict: Verdict, how: Comparison) -> Verdict:
    """Return the verdict of a worker; equal texts are right where the worker was killed."""
    answer, reference = pair
    equal = how.parses and answer == reference and not may_be_undefined(reference)
    return Verdict(True) if verdict.limit and equal else verdict
