"""GSM8K (Cobbe et al. 2021): grade-school word problems with integer answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.extraction import last_number
from w2s_factory.errors import UserError
from w2s_factory.records import GSM8K_RAW
from w2s_factory.tasks.base import LLAMA2_70B
from w2s_factory.tasks.fields import Split
from w2s_factory.tasks.published_task import PublishedTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.records import Test

_CALCULATOR_MARK = re.compile(r"<<.*?>>")


class Gsm8k(PublishedTask):
    """GSM8K, whose raw `answer` is a worked solution with a last line `#### ANSWER`."""

    def test_row(self, raw: Mapping[str, Any], tag: str) -> Test:
        """Return a raw row in the test form; the gold answer is the text after `#### `."""
        _, mark, answer = raw["answer"].rpartition("#### ")
        if not mark or "\n" in answer:
            raise UserError('expected a last line "#### ANSWER"', field="answer")
        return {
            "source": tag,
            "question": raw["question"],
            "solution": raw["answer"],
            "answer": answer,
            "tag": {},
        }

    def extract_any(self, response: str) -> str:
        """Return the last number of a response before the model starts a new question."""
        return last_number(response)

    def gold_output(self, raw: Mapping[str, Any]) -> str:
        """Return the solution without its `<<...>>` calculator marks."""
        return _CALCULATOR_MARK.sub("", raw["answer"])


TASK = Gsm8k(
    name="gsm8k",
    raw_form=GSM8K_RAW,
    answers_are_numbers=True,
    strong_model=LLAMA2_70B,
    splits={
        "train_1": Split("data/raw/gsm8k/train_1.jsonl", "data/test/gsm8k_train_1.jsonl", "GSM8K_TRAIN_1"),
        "train_2": Split("data/raw/gsm8k/train_2.jsonl", "data/test/gsm8k_train_2.jsonl", "GSM8K_TRAIN_2"),
        "test": Split("data/raw/gsm8k/test.jsonl", "data/test/gsm8k.jsonl", "GSM8K"),
    },
)
