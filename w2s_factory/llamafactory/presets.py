"""The presets in `llama_factory_configs/`: flat YAML, each value with its basis behind it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import yaml

from w2s_factory.errors import UserError
from w2s_factory.shipped import shipped

FOLDER = "llama_factory_configs"


@dataclass(frozen=True)
class Entry:
    """One line of a training YAML.

    Attributes:
        key: An argument of LLaMA-Factory.
        text: Its value, as YAML on one line.
        comment: The basis of the value, or what else is to be said of it.
    """

    key: str
    text: str
    comment: str

    @property
    def value(self) -> Any:
        """The value, parsed."""
        return yaml.safe_load(self.text)

    def __str__(self) -> str:
        return f"{self.key}: {self.text}  # {self.comment}"


@dataclass(frozen=True)
class Preset:
    """The arguments of one role and stage, in the newest LLaMA-Factory's names.

    Attributes:
        name: What commands call it (`strong_lora_sft`).
        summary: What it is for, in a line.
        lines: Its lines in order: entries, and comments and blank lines as they are.
    """

    name: str
    summary: str
    lines: tuple[str | Entry, ...]

    @property
    def entries(self) -> dict[str, Entry]:
        """Its entries by key."""
        return {line.key: line for line in self.lines if isinstance(line, Entry)}

    @property
    def trains(self) -> bool:
        """Whether it trains on a dataset; export does not."""
        return "do_train" in self.entries

    @property
    def method(self) -> str | None:
        """The preference method: `dpo`, `orpo` or `simpo`; None for supervised fine-tuning and export."""
        loss = self.entries.get("pref_loss")
        return None if loss is None else {"sigmoid": "dpo"}.get(loss.text, loss.text)

    def with_lines(self, lines: list[str | Entry]) -> Preset:
        """The same preset with other lines."""
        return replace(self, lines=tuple(lines))


def preset_names() -> list[str]:
    """The names of all presets, in alphabetical order."""
    return sorted(path.stem for path in shipped(FOLDER).glob("*.yaml"))


@cache
def load_preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        UserError: There is none of that name.
    """
    if name not in preset_names():
        near = difflib.get_close_matches(name, preset_names(), 1)
        meant = f'Did you mean "{near[0]}"?' if near else f"Presets: {', '.join(preset_names())}"
        raise UserError(f'no preset "{name}"', hint=meant)
    summary, *lines = shipped(FOLDER, f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return Preset(name, summary.removeprefix("# "), tuple(map(_parsed, lines)))


def _parsed(line: str) -> str | Entry:
    if not line or line.startswith("#"):
        return line
    setting, _, comment = line.partition("  # ")
    key, _, text = setting.partition(": ")
    return Entry(key, text, comment)
