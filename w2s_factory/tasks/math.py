"""MATH (Hendrycks et al. 2021): competition problems with LaTeX answers, in five levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.records import MATH_RAW
from w2s_factory.tasks.base import LLAMA2_70B
from w2s_factory.tasks.fields import Split
from w2s_factory.tasks.published_task import PublishedTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.records import Test


class Math(PublishedTask):
    """MATH, whose raw rows have problem, solution and answer, and the problem's subject and level."""

    def test_row(self, raw: Mapping[str, Any], tag: str) -> Test:
        """Return a raw row in the test form; `tag` keeps subject, level and unique_id."""
        return {
            "source": tag,
            "question": raw["problem"],
            "solution": raw["solution"],
            "answer": raw["answer"],
            "tag": {key: raw[key] for key in ("subject", "level", "unique_id")},
        }

    def gold_output(self, raw: Mapping[str, Any]) -> str:
        """Return the solution, followed by the answer after the task's key."""
        return f"{raw['solution']} {self.answer_key} {raw['answer']}"


TASK = Math(
    name="math",
    raw_form=MATH_RAW,
    strong_model=LLAMA2_70B,
    splits={
        "train_1": Split("data/raw/math/train_1.jsonl", "data/test/math_train_1.jsonl", "MATH_TRAIN_1"),
        "train_2": Split("data/raw/math/train_2.jsonl", "data/test/math_train_2.jsonl", "MATH_TRAIN_2"),
        "test": Split("data/raw/math/test.jsonl", "data/test/math.jsonl", "MATH"),
    },
    answer_key="The answer is:",
    max_tokens=2048,
    strong_preset="strong_lora_sft_math",
    pairs_per_question=3,
)
