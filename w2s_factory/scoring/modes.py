"""The ways to compare a prediction with a gold, by name: `published`, `symbolic`, `math-verify`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import UserError
from w2s_factory.scoring import mathverify, symbolic

if TYPE_CHECKING:
    from collections.abc import Callable

    from w2s_factory.scoring.scorable import Scorable

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


def comparison(mode: str, task: Scorable) -> Comparison:
    """The comparison of that name.

    `published` is the task's own `equal`; `symbolic` compares normalised answers as the release's code
    does with a working LaTeX parser; `math-verify` asks the Math-Verify library about the answers as
    written, since the published normalisation breaks some LaTeX.

    Raises:
        UserError: There is no such mode, or a package it needs is missing or of the wrong version.
    """
    if mode == "published":
        return task.comparison()
    if mode == "symbolic":
        need_parser()
        return Comparison(symbolic.quick, symbolic.slow, symbolic.prepare, packages=symbolic.PACKAGES)
    if mode == "math-verify":
        _need("math_verify", "pip install math-verify")
        return Comparison(
            mathverify.quick,
            mathverify.slow,
            mathverify.prepare,
            as_written=True,
            packages=mathverify.PACKAGES,
        )
    raise UserError(f'no mode "{mode}"', field="mode", hint=f"Modes: {', '.join(MODES)}")


def own_comparison(task: Scorable) -> Comparison:
    """The comparison by a task's `equal`: at once, or in workers where it is slow."""
    return Comparison(_never if task.slow_comparison else task.equal, task.equal, _nothing, parses=False)


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
