"""Training curves, from what LLaMA-Factory logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError
from w2s_factory.records import Form, read, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from w2s_factory.experiment.reporting.runs import Run

LOG, STATE = "trainer_log.jsonl", "trainer_state.json"
CURVES: Final = (
    "loss",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/accuracies",
    "logps/chosen",
    "logps/rejected",
)
"""What is drawn, by the trainer's names; all but the loss only in preference learning."""

_LINE: Form[Any] = Form("lines of a training log", {"current_steps": (int,)})


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        key, label, seed: Of the model it made.
        curves: By name, the steps and the values at them.
    """

    key: str
    label: str
    seed: int
    curves: dict[str, list[tuple[int, float]]]

    @property
    def preference(self) -> bool:
        """Whether it learned preferences."""
        return "rewards/chosen" in self.curves


def trainings(run: Run) -> list[Training]:
    """The trainings that left a log, in the order of the contents.

    Raises:
        UserError: A log can't be read.
    """
    found = []
    for model in run.contents.models:
        if model.training is not None and run.has(model.training):
            curves = _curves(run.at(model.training))
            if curves:
                found.append(Training(model.key, model.label, model.seed, curves))
    return found


def _curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves of a training: from its state, which has everything, else from the log kept as it went."""
    if (folder / STATE).is_file():
        history = read_object(folder / STATE).get("log_history", [])
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise UserError("expected a list of objects", file=folder / STATE, field="log_history")
        return _named(history, "step")
    if (folder / LOG).is_file():
        return _named(read(folder / LOG, _LINE), "current_steps")
    return {}


def _named(rows: Iterable[Mapping[str, Any]], step: str) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name in CURVES:
            if isinstance(row.get(name), (int, float)) and isinstance(row.get(step), int):
                curves.setdefault(name, []).append((row[step], float(row[name])))
    return curves
