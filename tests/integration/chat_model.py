"""The embedded models as chat models that think: with a chat template, its tokens, and a task to learn it on."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.chat_templates import QWEN3
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SPECIAL = ["<|im_start|>", "<|im_end|>"]
WORDS = ["<think>", "</think>", "user", "assistant", "system", "\\boxed{", "}"]

TASK = """\
name: sums
rows: rows.jsonl
columns: {question: problem, solution: work, answer: result}
output: "<think>\\n{{ solution }}\\n</think>\\n\\nThe answer is \\\\boxed{{ '{' }}{{ answer }}{{ '}' }}."
answers: numbers
max_tokens: 96
splits: {warm: 0.4, train_1: 0.3, train_2: 0.22, test: 0.08}
"""


def write_task(folder: Path, count: int) -> Path:
    """A task in one file, and its own rows: problems, the work on them, and their results."""
    lines = (ROOT / "data/arithmetic/train_1.jsonl").read_text().splitlines()[:count]
    with (folder / "rows.jsonl").open("w") as file:
        for line in lines:
            row = json.loads(line)
            work, _, result = row["answer"].rpartition("\n#### ")
            file.write(json.dumps({"problem": row["question"], "work": work, "result": result}) + "\n")
    (folder / "task.yaml").write_text(TASK)
    return folder / "task.yaml"


def save_chat_model(name: str, folder: Path) -> Path:
    """An embedded model with Qwen3's chat template, and with a token for each of its markers."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    source = ROOT / "data/models" / name
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.add_tokens(WORDS)
    tokenizer.chat_template = QWEN3
    tokenizer.eos_token = "<|im_end|>"
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(source)
    model.resize_token_embeddings(len(tokenizer))
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
