"""Comparison of scoring modes: the same responses scored in each, and where the verdicts differ."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.answers.thinking import is_opened
from w2s_factory.errors import UserError, listed
from w2s_factory.folders import responses_in
from w2s_factory.quantities import TIMEOUT, Timeout, Workers
from w2s_factory.records import Table, rows_of
from w2s_factory.scoring.golds import JoinedOutputs
from w2s_factory.scoring.results import Scored, at_its_row, score_responses
from w2s_factory.scoring.unused_markers import check_markers
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from w2s_factory.answers.extraction import Extraction
    from w2s_factory.answers.thinking import Markers
    from w2s_factory.records import Id, RowsLike
    from w2s_factory.tasks import Task

_EXAMPLES = 3
"""The most examples shown of each disagreement."""

_SHOWN = 40
"""The most characters shown of an answer."""


@dataclass
class Disagreement:
    """Responses that share their verdicts, of which at least two modes differ.

    Attributes:
        results: The verdict of each mode; None if the task does not know the gold.
        rows: The number of such responses.
        examples: Some of them with different answers: the id and the scored answer.
    """

    results: tuple[bool | None, ...]
    rows: int = 0
    examples: list[tuple[Id, Scored]] = field(default_factory=list)

    def add(self, row_id: Id, scored: Scored) -> None:
        """Count a response, and keep it as an example if its answers are new."""
        self.rows += 1
        known = {(example.pred, example.gold) for _, example in self.examples}
        if len(self.examples) < _EXAMPLES and (scored.pred, scored.gold) not in known:
            self.examples.append((row_id, scored))


@dataclass(frozen=True)
class ModeComparison:
    """The result of `compare_modes`.

    Attributes:
        modes: The modes compared.
        rows: The number of responses, each scored in every mode.
        right: The number of right responses by mode.
        limits: The number of comparisons that each limit ended, by mode; their verdict is wrong.
        disagreements: The disagreements, the most frequent first.
    """

    modes: tuple[str, ...]
    rows: int
    right: tuple[int, ...]
    limits: tuple[dict[str, int], ...]
    disagreements: tuple[Disagreement, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the disagreements as a DataFrame: every mode's verdict, and the number of responses."""
        rows = (
            dict(zip(self.modes, found.results, strict=True)) | {"rows": found.rows}
            for found in self.disagreements
        )
        return Table("disagreements", rows).to_frame()

    def table(self) -> str:
        """Return the counts and examples as text."""
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
        examples = [
            f"{name}: {_short(scored.pred)} | {_short(scored.gold)}" for name, scored in found.examples
        ]
        return "  ".join([*results, f"{found.rows:>4}", "; ".join(examples)])


def compare_modes(  # noqa: PLR0913  each is an option of the command
    task: Task | str,
    golds: RowsLike,
    responses: RowsLike,
    modes: Sequence[str],
    *,
    answer_key: str | None = None,
    extraction: str | Extraction | None = None,
    markers: Markers | None = None,
    timeout: Timeout = TIMEOUT,
    workers: Workers | None = None,
    partial: bool = False,
) -> ModeComparison:
    """Score a split's responses in several modes and collect the disagreements; nothing is written.

    Args:
        task: A task, or its name.
        golds: The split in the test form.
        responses: The responses, as `score` takes them.
        modes: Two modes or more.
        answer_key: The text that precedes the final answer, if not the task's own.
        extraction: The way to find the final answer (`answers.extraction.WAYS`); None for the task's own.
        markers: The markers of thinking; None for those recognised by default.
        timeout: The most seconds that one comparison may take.
        workers: The number of processes that compare; by default as many as cores.
        partial: Whether golds may be without a response.

    Raises:
        UserError: As `score`; or there are fewer than two modes.
    """
    modes = listed(modes, "modes")
    if len(set(modes)) < 2:
        raise UserError("expected two different modes or more", field="compare")
    responses, golds = rows_of(responses, "responses", responses_in), rows_of(golds, "golds")
    task = get_task(task)
    joined = JoinedOutputs(responses, golds, partial=partial, answer_key=task.answer_key)
    known = [(row, answer) for row, answer in joined if answer is not None]
    rows, answers = [row for row, _ in known], [answer for _, answer in known]
    if not rows:
        raise UserError("holds no golds, so there are no verdicts to compare", file=golds, field="answer")
    check_markers(markers, [(responses, rows)])
    texts = [row["response"] for row in rows]
    score = functools.partial(
        score_responses,
        task,
        texts,
        answers,
        answer_key=answer_key,
        extraction=extraction,
        markers=markers,
        opened=[is_opened(row) for row in rows],
        timeout=timeout,
        workers=workers,
    )
    try:
        by_mode = [score(mode) for mode in modes]
    except UserError as error:
        raise at_its_row(error, responses, rows) from error
    return ModeComparison(
        tuple(modes),
        len(rows),
        tuple(sum(scored.result is True for scored in scores) for scores in by_mode),
        tuple(dict(Counter(scored.limit for scored in scores if scored.limit)) for scores in by_mode),
        _disagreements([row["id"] for row in rows], by_mode),
    )


def _disagreements(ids: Sequence[Id], by_mode: Sequence[Sequence[Scored]]) -> tuple[Disagreement, ...]:
    """Return the disagreements of modes, the most frequent first, from the scored responses of each."""
    found: dict[tuple[bool | None, ...], Disagreement] = {}
    for row_id, scores in zip(ids, zip(*by_mode, strict=True), strict=True):
        results = tuple(scored.result for scored in scores)
        if len(set(results)) > 1:
            found.setdefault(results, Disagreement(results)).add(row_id, scores[0])
    return tuple(sorted(found.values(), key=lambda disagreement: -disagreement.rows))


def _short(answer: str) -> str:
    return ascii(answer)[1:-1] if len(answer) <= _SHOWN else ascii(answer[:_SHOWN])[1:-1] + "..."
