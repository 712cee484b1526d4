"""Measure verdicts per second of OlympicArena's judge, with and without its caches and shortcuts.

    python scripts/bench_judge.py release_facts/cases/judge_vectors.json

Both sides judge the same rows automatically, one after the other in one process, without counting
imports, and must give the same verdicts. The plain side uses this package's rules without their
accelerations: no cache, antlr for every expression, a new parse for each rule that needs one, nine types
tried in turn, and a simplification for every two equations. The figure therefore shows the gain from the
caches, the parser's fast prediction, the immediate verdicts and the numbers substituted into equations.
It does not compare with another program.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from sympy.parsing.latex import parse_latex

from w2s_factory.answers import symbolic
from w2s_factory.answers.judge import rules, values
from w2s_factory.answers.judge import rules as rules_module
from w2s_factory.answers.judge.notation import boxed, normalised
from w2s_factory.answers.judge.structured_gold import Gold
from w2s_factory.answers.judge.verdict import equal, equal_at_once


def by_antlr(answer: str) -> Any:
    """An expression from SymPy's own parser, each time anew; None where it raises."""
    try:
        return parse_latex(answer)
    except Exception:  # noqa: BLE001  whatever it raises means that it could not
        return None


def unclear(*_: Any) -> bool:
    """No numbers are put into equations: each pair of them is simplified."""
    return False


def without_short_ways() -> None:
    """Make this process judge as slowly as it would without caches and shortcuts."""
    plain = values.same_number.__wrapped__
    values.parsed = by_antlr
    values._number = values._number.__wrapped__
    rules.same_number = plain
    rules.AUTOMATIC["NV"] = plain
    rules_module._sides = rules_module._sides.__wrapped__
    rules_module._difference = rules_module._difference.__wrapped__
    rules_module._differ = unclear


def quickly(pred: str, gold: str) -> bool:
    """The verdict as files are judged: at once, or else by all rules."""
    verdict = equal_at_once(pred, gold)
    return equal(pred, gold) if verdict is None else verdict


@click.command()
@click.argument("vectors", type=click.Path(exists=True, path_type=Path))
@click.option("--limit", type=click.IntRange(1), help="Only the first so many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(vectors: Path, limit: int | None, as_json: bool) -> None:
    """Time both sides on the rows of VECTORS (pred, gold, type_sequence)."""
    pairs = [_pair(row) for row in json.loads(vectors.read_text())[:limit]]
    symbolic.prepare()
    quick, verdicts = _timed(quickly, pairs)
    without_short_ways()
    slow, plain = _timed(equal, pairs)
    if verdicts != plain:
        raise SystemExit("the verdicts differ")
    found = {"rows": len(pairs), "seconds": quick, "plain_seconds": slow, "times_faster": slow / quick}
    click.echo(
        json.dumps(found) if as_json else "\n".join(f"{key}: {value:.4g}" for key, value in found.items())
    )


def _pair(row: dict[str, Any]) -> tuple[str, str]:
    gold = normalised(row["gold"]) if isinstance(row["gold"], str) else row["gold"]
    return normalised(boxed(row["pred"])), Gold(gold, row["type_sequence"]).text()


def _timed(judge: Any, pairs: list[tuple[str, str]]) -> tuple[float, list[bool]]:
    start = time.perf_counter()
    verdicts = [judge(*pair) for pair in pairs]
    return time.perf_counter() - start, verdicts


if __name__ == "__main__":
    main()
