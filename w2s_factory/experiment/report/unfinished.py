"""Responses without an answer for a reason that is not the model's reasoning: see `Unfinished`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.answers.thinking import Markers, parts_of
from w2s_factory.records import ANSWERED, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.experiment.run_contents import Evaluated


@dataclass(frozen=True)
class Unfinished:
    """The responses of a model, over all repetitions, that have no answer because they ended too early.

    Attributes:
        key: The model's key.
        label: Its label.
        responses: The number of its responses.
        thinking: The number of those without a final answer because their thinking did not end.
        failed: The number of requests that the engine refused.
    """

    key: str
    label: str
    responses: int
    thinking: int
    failed: int

    @property
    def sentence(self) -> str:
        """Return the numbers in words: "12 of 500 responses: thinking did not end"."""
        counts = {"thinking did not end": self.thinking, "the engine refused the request": self.failed}
        return "; ".join(
            f"{count:,} of {self.responses:,} responses: {reason}"
            for reason, count in counts.items()
            if count
        )


def unfinished(run: Run) -> list[Unfinished]:
    """Return the counts of each model that has such responses, in the order of the run's contents.

    Raises:
        UserError: Results cannot be read.
    """
    given = run.contents.reasoning
    markers = None if given is None else Markers(*given)
    models: dict[str, list[Evaluated]] = {}
    for model in run.contents.models:
        if run.has(model.results):
            models.setdefault(model.key, []).append(model)
    counted = [
        _counted(repetitions[0], [run.at(model.results) for model in repetitions], markers)
        for repetitions in models.values()
    ]
    return [counts for counts in counted if counts.thinking or counts.failed]


def _counted(model: Evaluated, files: Sequence[Path], markers: Markers | None) -> Unfinished:
    responses = thinking = failed = 0
    for file in files:
        for row in read(file, ANSWERED):
            responses += 1
            if row.get("error"):
                failed += 1
                continue
            if not row["pred"]:  # the published way finds answers in unfinished thinking, too
                thinking += not parts_of(row, markers).closed
    return Unfinished(model.key, model.label, responses, thinking, failed)
