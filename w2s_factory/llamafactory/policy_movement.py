"""The movement of a policy in preference training, by LLaMA-Factory's log: first and last logged values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.preference_methods import BY_LOSS
from w2s_factory.llamafactory.training_progress import TRAINER_LOG
from w2s_factory.llamafactory.versions import newest_name
from w2s_factory.records import Form, read, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Curves = dict[str, list[tuple[int, float]]]

STATE: Final = "trainer_state.json"
MARGIN: Final = "rewards/margins"
CHOSEN: Final = "logps/chosen"
CURVES: Final = (
    "loss",
    "rewards/chosen",
    "rewards/rejected",
    MARGIN,
    "rewards/accuracies",
    CHOSEN,
    "logps/rejected",
)
"""The trainer's names of the values that are read; all but the loss exist only in preference learning."""

SHOWN: Final = {
    "loss": "loss",
    MARGIN: "reward margin",
    "rewards/accuracies": "reward accuracy",
    CHOSEN: "log-probability of chosen",
    "logps/rejected": "log-probability of rejected",
}
"""The values that show whether a policy moved, in words."""

HARDLY_MOVED: Final = 0.3
"""The reward margin divided by beta, in nats, below which a policy hardly moved.

The trainer's margin is beta times the log-ratio of chosen less that of rejected, so it says how far the
policy moved only together with beta. Chosen on DPO of the embedded task (beta 0.1, one seed): at 1e-4 the
margin reaches 0.009 (0.09 nats) and the loss goes from 0.692 to 0.689, and accuracy does not change; at
1e-3 the margin reaches 0.09 (0.9 nats), and accuracy does.
"""

BETA: Final = 0.1
"""LLaMA-Factory's default of `pref_beta`."""

DISPLACED_NATS: Final = 1.0
DISPLACED_FACTOR: Final = 2.0
"""The least fall of the log-probability of chosen responses, in nats and as a factor, that is named.

Chosen on DPO of the embedded task (one seed): over three epochs at 1e-3 it goes from -0.4 to -3.1, and
accuracy falls from 81.6 to 56.2. Both must hold, since a nat is little for a long response.
"""

_LINE: Form[Any] = Form("lines of a training log", {"current_steps": (int,)})


def logged_curves(folder: Path) -> Curves:
    """Return pairs of step and value by `CURVES`, from a training's final state or else from its log.

    Raises:
        UserError: The file cannot be read.
    """
    if (folder / STATE).is_file():
        history = read_object(folder / STATE).get("log_history", [])
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise UserError("expected a list of objects", file=folder / STATE, field="log_history")
        return _named(history, "step")
    if (folder / TRAINER_LOG).is_file():
        return _named(read(folder / TRAINER_LOG, _LINE), "current_steps")
    return {}


def _named(rows: Iterable[Mapping[str, Any]], step: str) -> Curves:
    curves: Curves = {}
    for row in rows:
        for name in CURVES:
            if isinstance(row.get(name), (int, float)) and isinstance(row.get(step), int):
                curves.setdefault(name, []).append((row[step], float(row[name])))
    return curves


class Ends(NamedTuple):
    """The first and the last logged value."""

    first: float
    last: float


@dataclass(frozen=True)
class Movement:
    """Movement of the policy in a preference training.

    Attributes:
        ends: First and last logged value, by the trainer's name; a value that is not logged is left out.
        beta: The factor by which its loss multiplies log-ratios against a reference model, and with them the
            margin, which then begins at 0; None if it has no reference model, or is not known.
    """

    ends: Mapping[str, Ends]
    beta: float | None

    @property
    def hardly_moved(self) -> bool:
        """Return whether the policy changed next to nothing; False for methods without a reference model."""
        margin = self.ends.get(MARGIN)
        if self.beta is None or margin is None:
            return False
        return max(abs(margin.last), abs(margin.last - margin.first)) / self.beta < HARDLY_MOVED

    @property
    def displaced(self) -> bool:
        """Return whether chosen responses became much less likely (likelihood displacement)."""
        chosen = self.ends.get(CHOSEN)
        if chosen is None:
            return False
        fell = chosen.first - chosen.last >= DISPLACED_NATS
        return fell and abs(chosen.last) >= DISPLACED_FACTOR * abs(chosen.first)

    @property
    def finding(self) -> str:
        """Return what is remarkable about the training, as a clause; "" if nothing is."""
        if self.beta is not None and self.hardly_moved:
            margin = self.ends[MARGIN].last
            nats = f"{margin / self.beta:.2f} nats at beta {self.beta:g}"
            return f"the policy hardly moved: reward margin {margin:.3f} at the end ({nats})"
        if self.displaced:
            first, last = self.ends[CHOSEN]
            return f"chosen responses became much less likely: log-probability {first:.1f} to {last:.1f}"
        return ""

    @property
    def values(self) -> str:
        """Return first and last value of each that is logged, as a line of text."""
        return ", ".join(
            f"{words} {_number(self.ends[name].first)} to {_number(self.ends[name].last)}"
            for name, words in SHOWN.items()
            if name in self.ends
        )


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def movement(
    curves: Mapping[str, list[tuple[int, float]]], config: Mapping[str, Any] | None
) -> Movement | None:
    """Return the movement of the policy in a training; None if it is not one on preference pairs.

    Args:
        curves: Its logged values, as `logged_curves` returns them.
        config: Its arguments, as LLaMA-Factory reads them; None if they are not known.
    """
    if "rewards/chosen" not in curves:
        return None
    ends = {name: Ends(curves[name][0][1], curves[name][-1][1]) for name in SHOWN if name in curves}
    return Movement(ends, None if config is None else _reference_beta(config))


def _reference_beta(config: Mapping[str, Any]) -> float | None:
    """Return the factor of log-ratios against the reference model; None if the loss has no such model."""
    arguments = {newest_name(name): value for name, value in config.items()}
    loss = "orpo" if arguments.get("stage") == "orpo" else arguments.get("pref_loss", "sigmoid")
    method = BY_LOSS.get(str(loss))
    if method is not None and not method.reference:
        return None
    beta = arguments.get("pref_beta")
    return beta if isinstance(beta, (int, float)) and beta > 0 else BETA


def movement_in(folder: Path, config: Mapping[str, Any]) -> Movement | None:
    """Return the movement of the policy in a finished training, whose configuration says how it trained.

    None if it is not one on preference pairs, or its log cannot be read: the weights exist nevertheless.
    """
    if config.get("stage") not in ("dpo", "orpo"):
        return None
    try:
        return movement(logged_curves(folder), config)
    except UserError:
        return None
