"""Runs of a few made-up questions, and the rows of the files that they write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from w2s_factory.generating import Generation, Model
from w2s_factory.records import write
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from pathlib import Path


def asking(folder: Path, count: int, engine: str) -> Generation:
    """A generation that asks `q0`, `q1` and so on."""
    write(folder / "questions.jsonl", [{"question": f"q{number}"} for number in range(count)])
    return Generation(
        task=get_task("gsm8k"),
        questions=folder / "questions.jsonl",
        model=Model("m"),
        engine=engine,
        output_dir=folder / "out",
    )


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file in JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]
