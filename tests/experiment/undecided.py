"""A tiny base model that knows the form of an answer and mostly says 12: both sides of Stage I agree on it.

Real weights for a real workflow, made in seconds. What it learns from, it learns nothing of.
"""

from __future__ import annotations

import sys
from random import Random

from w2s_factory.records import GSM8K_RAW, read
from w2s_factory.shipped import shipped
from w2s_factory.tasks import get_task

STEPS, ROWS = 80, 8


def make(folder) -> None:
    """Train the random tiny Llama on problems, one to five a text, whose answer is 12 or now and then 7."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    torch.set_num_threads(1)
    draw, task = Random(0), get_task("arithmetic")
    prompts = [task.prompt(row["question"]) for row in read(task.path("train_1.jsonl"), GSM8K_RAW)]
    base = shipped("data", "models", "tiny_llama")
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        texts = ["\n\n".join(_solved(draw, prompts) for _ in range(draw.randint(1, 5))) for _ in range(ROWS)]
        ended = [text + tokenizer.eos_token for text in texts]
        batch = tokenizer(ended, return_tensors="pt", padding=True, truncation=True, max_length=512)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(**batch, labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _solved(draw: Random, prompts: list[str]) -> str:
    answer = 7 if draw.random() < 0.3 else 12
    return f"{draw.choice(prompts)} {answer - 5} + 5 = {answer}.\n#### {answer}"


if __name__ == "__main__":
    make(sys.argv[1])
