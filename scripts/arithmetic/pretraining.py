"""The pretraining of a tiny Llama on documents: batches, schedule, training loop."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from transformers import AttentionInterface, LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tokenizers import Tokenizer
    from torch import Tensor

IGNORED = -100
"""The label of what is not to be learnt: the padding."""
POOL = 1024
"""So many documents are sorted by length at a time, so that a batch holds little padding."""


def attention_in_float32(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **more: Any
) -> tuple[Tensor, None]:
    """Attention, computed in float32: on a CPU, torch is slower at it in bfloat16."""
    exact = (part.float() for part in (query, key, value))
    mixed, _ = sdpa_attention_forward(module, *exact, mask, **more)
    return mixed.to(query.dtype), None


AttentionInterface.register("float32", attention_in_float32)


@dataclass(frozen=True)
class Size:
    """The shape of a Llama."""

    hidden: int
    layers: int
    mlp: int
    heads: int

    def model(self, vocab_size: int, context: int) -> LlamaForCausalLM:
        """A fresh model; torch's generator draws its weights."""
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=vocab_size,
                hidden_size=self.hidden,
                intermediate_size=self.mlp,
                num_hidden_layers=self.layers,
                num_attention_heads=self.heads,
                num_key_value_heads=self.heads,
                max_position_embeddings=context,
                tie_word_embeddings=False,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
                dtype="float32",
            )
        )


@dataclass(frozen=True)
class Schedule:
    """The length and speed of pretraining: the rate rises, then falls as a cosine to a twentieth."""

    steps: int
    rate: float
    warmup: int = 100

    def at(self, step: int) -> float:
        """The rate of a 0-based step."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)


Rows: TypeAlias = list[list[int]]
"""The tokens of some documents."""


def batches(texts: Iterator[str], tokenizer: Tokenizer, size: int, random: Random) -> Iterator[Rows]:
    """Batches of `size` documents, EOS behind each, of about equal lengths within a batch."""
    end = tokenizer.token_to_id("</s>")
    while True:
        pool = [[*encoded.ids, end] for encoded in tokenizer.encode_batch(list(islice(texts, POOL)))]
        pool.sort(key=len)
        groups = [pool[start : start + size] for start in range(0, POOL - size + 1, size)]
        random.shuffle(groups)
        yield from groups


def padded(rows: Rows) -> tuple[Tensor, Tensor]:
    """Tokens and labels, padded on the right."""
    longest = max(map(len, rows))
    tokens = [row + [0] * (longest - len(row)) for row in rows]
    labels = [row + [IGNORED] * (longest - len(row)) for row in rows]
    return torch.tensor(tokens), torch.tensor(labels)


def pretrain(
    model: LlamaForCausalLM, rows: Iterator[Rows], schedule: Schedule, dtype: torch.dtype = torch.bfloat16
) -> int:
    """Train `model` in place and return how many tokens it has seen; progress goes to stderr.

    The model computes in `dtype`; the weights that the optimiser moves, and the model's in the end, are
    float32.
    """
    weights = list(model.parameters())
    exact = [weight.detach().clone() for weight in weights]
    optimiser = torch.optim.AdamW(exact, betas=(0.9, 0.98), weight_decay=0.05)
    model.set_attn_implementation("float32")
    model.to(dtype).train()
    seen, began, smooth = 0, time.monotonic(), 0.0
    for step, batch in enumerate(islice(rows, schedule.steps)):
        for group in optimiser.param_groups:
            group["lr"] = schedule.at(step)
        tokens, labels = padded(batch)
        loss = model(input_ids=tokens, labels=labels).loss
        loss.backward()
        _move(weights, exact, optimiser)
        seen += sum(map(len, batch))
        smooth = loss.item() if step == 0 else 0.98 * smooth + 0.02 * loss.item()
        if (step + 1) % 100 == 0 or step + 1 == schedule.steps:
            spent = time.monotonic() - began
            print(
                f"step {step + 1}/{schedule.steps}, {seen:,} tokens, {spent:.0f} s, loss {smooth:.4f}",
                file=sys.stderr,
                flush=True,
            )
    model.set_attn_implementation("sdpa")
    model.to(torch.float32).eval()
    _copy(exact, weights)
    return seen


def _move(weights: list[Tensor], exact: list[Tensor], optimiser: torch.optim.Optimizer) -> None:
    """One step of the optimiser on the exact weights, with the gradients of the model's."""
    for weight, master in zip(weights, exact, strict=True):
        master.grad = weight.grad.float()
        weight.grad = None
    torch.nn.utils.clip_grad_norm_(exact, 1.0)
    optimiser.step()
    _copy(exact, weights)


@torch.no_grad()
def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    for one, other in zip(source, target, strict=True):
        other.copy_(one)
