"""The numbers the paper published (arXiv 2407.13647), to be put beside a run; each with its source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from w2s_factory.errors import UserError

_FILE = Path(__file__).with_name("paper_results.json")


@dataclass(frozen=True)
class PublishedNumber:
    """What the paper gives for one model on the test split; shares from 0 to 1.

    Attributes:
        accuracy: Greedy.
        pass_at_10: At temperature 1.0; None where it is not given.
        source: Where the number was read.
    """

    accuracy: float
    pass_at_10: float | None
    source: str


def published_results(task: Any, weak_name: str) -> dict[str, PublishedNumber]:
    """The paper's numbers for a task under a weak model, by model.

    Models are named as in a run: `weak_floor`, `full_weak_ft`, `weak_icl`, `iter1_weak_ft` ...,
    `dpo`, `orpo`, `strong_ceiling` (OlympicArena: `m_plus`, the last hybrid model, and `m_pro`, the one after
    Stage II; no ceiling).

    Args:
        task: `gsm8k`, `math` or `olympic_arena`; or the task itself.
        weak_name: The weak model as the release's files name it: `llama2_7b`, `llama3-8b-instruct`.

    Raises:
        UserError: The paper has no such task, or no such weak model in it.
    """
    tasks = _facts()["tasks"]
    task = task if isinstance(task, str) else getattr(task, "name", task)
    if task not in tasks:
        raise UserError(f'the paper has no numbers for the task "{task}"', hint=f"It has: {', '.join(tasks)}")
    weak_models = tasks[task]["weak_models"]
    if _key(weak_name) not in weak_models:
        raise UserError(
            f'the paper has no weak model "{weak_name}" in {task}', hint=f"It has: {', '.join(weak_models)}"
        )
    numbers = {name: _number(fact) for name, fact in weak_models[_key(weak_name)].items()}
    if "strong_ceiling" in tasks[task]:
        numbers["strong_ceiling"] = _number(tasks[task]["strong_ceiling"])
    return numbers


def is_published(task: str, weak_name: str) -> bool:
    """Whether the paper has numbers for this task under this weak model."""
    return _key(weak_name) in _facts()["tasks"].get(task, {}).get("weak_models", {})


def _key(weak_name: str) -> str:
    """The facts' name of a weak model; the release writes OlympicArena's with hyphens and underscores."""
    return weak_name.replace("-", "_")


def _number(fact: dict[str, Any]) -> PublishedNumber:
    pass_at_10 = fact.get("pass@10")
    return PublishedNumber(
        accuracy=fact["accuracy"] / 100,
        pass_at_10=None if pass_at_10 is None else pass_at_10 / 100,
        source=_facts()["sources"][fact["source"]],
    )


@lru_cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return facts
