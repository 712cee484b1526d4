"""The numbers the paper published (arXiv 2407.13647), for comparison with a run; each with its source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE = Path(__file__).with_name("paper_results.json")


@dataclass(frozen=True)
class PublishedNumber:
    """The paper's numbers for one model on the test split, as shares from 0 to 1.

    Attributes:
        accuracy: The accuracy with greedy decoding.
        pass_at_10: The pass@10 at temperature 1.0; None if the paper does not give it.
        source: The place in the paper, or elsewhere, that the numbers were read from.
    """

    accuracy: float
    pass_at_10: float | None
    source: str


def published_results(task: Any, weak_name: str) -> dict[str, PublishedNumber]:
    """Return the paper's numbers for a task with a weak model, by model.

    Models are named as in a run: `weak_floor`, `full_weak_ft`, `weak_icl`, `iter1_weak_ft` ...,
    `dpo`, `orpo`, `strong_ceiling`. OlympicArena has `m_plus`, the last hybrid model, and `m_pro`, the one
    after Stage II, and no ceiling.

    Args:
        task: `gsm8k`, `math` or `olympic_arena`; or the `Task` itself.
        weak_name: The weak model as the release's files name it: `llama2_7b`, `llama3-8b-instruct`.

    Raises:
        UserError: The paper has no numbers for the task, or for the weak model in it.
    """
    tasks = _facts()["tasks"]
    task = task if isinstance(task, str) else getattr(task, "name", task)
    if task not in tasks:
        raise UserError(f'the paper has no numbers for the task "{task}"', hint=_hint(str(task), tasks))
    weak_models = tasks[task]["weak_models"]
    if _key(weak_name) not in weak_models:
        raise UserError(
            f'the paper has no weak model "{weak_name}" in {task}', hint=_hint(_key(weak_name), weak_models)
        )
    numbers = {name: _number(fact) for name, fact in weak_models[_key(weak_name)].items()}
    if "strong_ceiling" in tasks[task]:
        numbers["strong_ceiling"] = _number(tasks[task]["strong_ceiling"])
    return numbers


def is_published(task: str, weak_name: str) -> bool:
    """Return whether the paper has numbers for a task with a weak model."""
    return _key(weak_name) in _facts()["tasks"].get(task, {}).get("weak_models", {})


def _hint(name: str, known: Iterable[str]) -> str:
    return f"{did_you_mean(name, known)} It has: {', '.join(known)}".strip()


def _key(weak_name: str) -> str:
    """Return a weak model's key in the file; the release writes some with hyphens."""
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
