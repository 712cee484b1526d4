"""Where modes disagree on the same responses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError, listed
from w2s_factory.folders import responses_in
from w2s_factory.quantities import TIMEOUT, Timeout, Workers
from w2s_factory.records import Table, rows_of
from w2s_factory.scoring.golds import read_outputs
from w2s_factory.scoring.results import Scored, at_its_row, score_responses
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from w2s_factory.records import RowsLike
    from w2s_factory.tasks import Task

_EXAMPLES = 3
_SHOWN = 40


@dataclass
class Disagreement:
    """Responses on which the modes give the same verdicts, not all alike.

    Attributes:
        results: The verdict of each mode.
        rows: How many such responses there are.
        examples: Some of them, different ones: id and scored answer.
    """

    results: tuple[bool, ...]
    rows: int = 0
    examples: list[tuple[int | str, Scored]] = field(default_factory=list)

    def add(self, row_id: int | str, scored: Scored) -> None:
        """Count a response, and keep it if it is a new example."""
        self.rows += 1
        known = {(one.pred, one.gold) for _, one in self.examples}
        if len(self.examples) < _EXAMPLES and (scored.pred, scored.gold) not in known:
            self.examples.append((row_id, scored))


@dataclass(frozen=True)
class ModeComparison:
    """What `compare_modes` found.

    Attributes:
        modes: The modes compared.
        rows: Responses scored by each.
        right: How many each finds right.
        limits: How many comparisons of each a limit ended, all of them wrong, by limit.
        disagreements: The most frequent first.
    """

    modes: tuple[str, ...]
    rows: int
    right: tuple[int, ...]
    limits: tuple[dict[str, int], ...]
    disagreements: tuple[Disagreement, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the disagreements as a DataFrame: every mode's verdict, and how many responses."""
        found = (
            dict(zip(self.modes, one.results, strict=True)) | {"rows": one.rows} for one in self.disagreements
        )
        return Table("disagreements", found).to_frame()

    def table(self) -> str:
        """The counts and examples as text."""
        lines = [self._counts(*mode) for mode in zip(self.modes, self.right, self.limits, strict=True)]
        lines += ["", "  ".join([*self.modes, "rows", "examples (id: pred | gold)"])]
        lines += [self._line(found) for found in self.disagreements]
        return "\n".join(lines if self.disagreements else [*lines[:-2], "No disagreement."])

    def _counts(self, mode: str, right: int, limits: dict[str, int]) -> str:
        ended = "".join(f", {count} ended by a limit ({limit})" for limit, count in limits.items())
        return f"{mode:>12}: {right} of {self.rows} right{ended}"

    def _line(self, found: Disagreement) -> str:
        results = [
            f"{'right' if result else 'wrong':<{len(mode)}}"
            for mode, result in zip(self.modes, found.results, strict=True)
        ]
        examples = [f"{name}: {_short(one.pred)} | {_short(one.gold)}" for name, one in found.examples]
        return "  ".join([*results, f"{found.rows:>4}", "; ".join(examples)])


def compare_modes(
    task: Task | str,
    golds: RowsLike,
    responses: RowsLike,
    modes: Sequence[str],
    *,
    answer_key: str | None = None,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
    partial: bool = False,
) -> ModeComparison:
    """Score a split's responses in several modes and collect where they disagree; nothing is written.

    Raises:
        UserError: As `score`; or there are fewer than two modes.
    """
    modes = listed(modes, "modes")
    if len(set(modes)) < 2:
        raise UserError("comparing takes two modes or more", field="compare")
    responses, golds = rows_of(responses, "responses", responses_in), rows_of(golds, "golds")
    task = get_task(task)
    asked, known = read_outputs(responses, golds, partial=partial, answer_key=task.answer_key)
    rows = [row for row, answer in zip(asked, known, strict=True) if answer is not None]
    answers = [answer for answer in known if answer is not None]
    if not rows:
        raise UserError("holds no golds, so there are no verdicts to compare", file=golds, field="answer")
    texts = [row["response"] for row in rows]
    options: dict[str, Any] = {"answer_key": answer_key, "timeout": timeout, "workers": workers}
    try:
        by_mode = [score_responses(task, texts, answers, mode, **options) for mode in modes]
    except UserError as error:
        raise at_its_row(error, responses, rows) from error
    found: dict[tuple[bool, ...], Disagreement] = {}
    for row, scored in zip(rows, zip(*by_mode, strict=True), strict=True):
        results = tuple(one.result for one in scored)
        if len(set(results)) > 1:
            found.setdefault(results, Disagreement(results)).add(row["id"], scored[0])
    return ModeComparison(
        tuple(modes),
        len(rows),
        tuple(sum(one.result is True for one in scored) for scored in by_mode),
        tuple(dict(Counter(one.limit for one in scored if one.limit)) for scored in by_mode),
        tuple(sorted(found.values(), key=lambda one: -one.rows)),
    )


def _short(answer: str) -> str:
    return ascii(answer)[1:-1] if len(answer) <= _SHOWN else ascii(answer[:_SHOWN])[1:-1] + "..."
