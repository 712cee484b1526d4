"""Preference methods: the one list of them, with the facts that presets, settings and checks depend on.

A new method is one row here, one preset in `llama_factory_configs/` and, for experiments, one field of
`Methods` in `experiment/stage2_section.py`. The names that its arguments had in earlier releases of
LLaMA-Factory are declared in `versions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class PreferenceMethod:
    """A method that trains on preference pairs.

    Attributes:
        name: Its name in presets, experiments and reports (`dpo`).
        loss: The value of `pref_loss` that selects it.
        since: The first release of LLaMA-Factory that has it.
        reference: Whether its loss compares with a reference model, which `--reference` chooses. A method
            without one has a free choice of the model it starts from, which `--start` makes.
        early_stage: The value of `stage` that selects it in releases without `pref_loss` (up to 0.7.1);
            None if it came later. In releases with `pref_loss`, `stage` is `dpo` for all methods.
    """

    name: str
    loss: str
    since: str
    reference: bool
    early_stage: str | None = None


METHODS: Final[Mapping[str, PreferenceMethod]] = {
    method.name: method
    for method in (
        PreferenceMethod("dpo", loss="sigmoid", since="0.5.0", reference=True, early_stage="dpo"),
        PreferenceMethod("orpo", loss="orpo", since="0.6.2", reference=False, early_stage="orpo"),
        PreferenceMethod("simpo", loss="simpo", since="0.8.0", reference=False),
    )
}
"""The preference methods by name, in the order in which they are shown."""

BY_LOSS: Final[Mapping[str, PreferenceMethod]] = {method.loss: method for method in METHODS.values()}
"""The preference methods by their value of `pref_loss`."""

_PREFERENCE_STAGES: Final = tuple(dict.fromkeys(m.early_stage for m in METHODS.values() if m.early_stage))

STAGES: Final = ("pt", "sft", "rm", "ppo", "kto", *_PREFERENCE_STAGES)
"""The values of `stage` that some release of LLaMA-Factory knows."""


def trains_on_pairs(use: str) -> bool:
    """Return whether a stage (`rm`) or a preference method (`simpo`) trains on preference pairs."""
    return use == "rm" or use in _PREFERENCE_STAGES or use in METHODS
