"""The embedded task: word problems of one to three steps, in the form of GSM8K (docs/arithmetic.md)."""

from __future__ import annotations

from w2s_factory.records import GSM8K_RAW
from w2s_factory.shipped import shipped
from w2s_factory.tasks.fields import Example, Split
from w2s_factory.tasks.gsm8k import Gsm8k

_ROOT = shipped("data", "arithmetic")
_TINY_LLAMA = shipped("data", "models", "tiny_llama")

TASK = Gsm8k(
    name="arithmetic",
    raw_form=GSM8K_RAW,
    answers_are_numbers=True,
    splits={
        "train_1": Split("train_1.jsonl", "golds/train_1.jsonl", "ARITHMETIC_TRAIN_1"),
        "train_2": Split("train_2.jsonl", "golds/train_2.jsonl", "ARITHMETIC_TRAIN_2"),
        "dev": Split("dev.jsonl", "golds/dev.jsonl", "ARITHMETIC_DEV"),
        "test": Split("test.jsonl", "golds/test.jsonl", "ARITHMETIC"),
    },
    max_tokens=128,  # three steps and the answer take at most half of it (tiny_llama's tokens)
    strong_model=str(shipped("data", "models", "arithmetic_strong")),
    strong_preset="tiny_base_lora_sft",
    root=_ROOT,
    example=Example(
        weak=_ROOT / "examples" / "weak_results.jsonl",
        icl=_ROOT / "examples" / "icl_results.jsonl",
        weak_name="simulated_weak",
        model=_TINY_LLAMA,
        preset="tiny_lora_sft",
    ),
)
