"""The three base models: their shapes, their pretraining data and schedules, and how they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from transformers import LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from arithmetic.pretraining import Schedule, Size, batches, pretrain
from arithmetic.pretraining_documents import (
    HURRIED,
    IMPATIENT,
    LOOSE,
    RESTLESS,
    VARIOUS,
    documents,
    task_questions,
    words,
)
from arithmetic.tokens import CONTEXT, make_tokenizer, save_tokenizer, texts

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

    from arithmetic.pretraining_documents import Mix


@dataclass(frozen=True)
class Cycle:
    """A stretch of pretraining; `seed` draws its documents, `seed + 1` the order of its batches."""

    mix: Mix
    schedule: Schedule
    seed: int


@dataclass(frozen=True)
class Recipe:
    """The recipe of a base: its shape, the seed of its first weights, and its cycles in their order."""

    size: Size
    cycles: tuple[Cycle, ...]
    seed: int = 1
    batch: int = 16
    begin: str | None = None
    """The recipe whose stored base is pretrained further, instead of a new one."""
    dtype: torch.dtype = torch.bfloat16
    """The number format of its computations; without bfloat16 instructions, float32 is faster."""


RECIPES = {
    "weak": Recipe(Size(hidden=64, layers=6, mlp=176, heads=2), (Cycle(HURRIED, Schedule(1200, 3e-3), 1),)),
    "strong": Recipe(
        Size(hidden=192, layers=4, mlp=512, heads=6),
        (
            Cycle(HURRIED, Schedule(1300, 2e-3), 1),
            Cycle(IMPATIENT, Schedule(1200, 2e-3), 3),
            Cycle(RESTLESS, Schedule(400, 1e-3), 5),
            Cycle(LOOSE, Schedule(320, 1e-3), 7),
        ),
    ),
    "various": Recipe(
        Size(hidden=192, layers=4, mlp=480, heads=6),
        (Cycle(VARIOUS, Schedule(400, 1e-3, warmup=30), 9),),
        begin="strong",
        dtype=torch.float32,
    ),
}


def web_tokenizer() -> Tokenizer:
    """The tokenizer of all bases: the words of the task and of the web."""
    return make_tokenizer([*texts(), *words()])


def make_base(recipe: Recipe, root: Path) -> int:
    """Pretrain a base, store it in `root`, and return how many tokens it has seen."""
    tokenizer = web_tokenizer()
    torch.manual_seed(recipe.seed)
    model = begin(recipe, tokenizer, root)
    seen, held_out = 0, task_questions()
    for cycle in recipe.cycles:
        web = documents(Random(cycle.seed), cycle.mix, held_out)
        rows = batches(web, tokenizer, recipe.batch, Random(cycle.seed + 1))
        seen += pretrain(model, rows, cycle.schedule, recipe.dtype)
    save_tokenizer(tokenizer, root)
    store(model, root)
    return seen


def begin(recipe: Recipe, tokenizer: Tokenizer, root: Path) -> LlamaForCausalLM:
    """The model that a recipe pretrains: a new one, or a stored one with narrower MLPs."""
    model = recipe.size.model(tokenizer.get_vocab_size(), CONTEXT)
    if recipe.begin is not None:
        stored = LlamaForCausalLM.from_pretrained(
            root.parent / f"arithmetic_{recipe.begin}", dtype=torch.float32
        )
        model.load_state_dict(narrowed(stored, recipe.size.mlp))
    return model


@torch.no_grad()
def narrowed(model: LlamaForCausalLM, mlp: int) -> dict[str, Tensor]:
    """A model's weights without the neurons of each MLP that have the smallest weights."""
    weights = model.state_dict()
    for place in range(model.config.num_hidden_layers):
        gate, up, down = (f"model.layers.{place}.mlp.{name}_proj.weight" for name in ("gate", "up", "down"))
        size = weights[gate].norm(dim=1) * weights[up].norm(dim=1) * weights[down].norm(dim=0)
        kept = size.topk(mlp).indices.sort().values
        weights[gate], weights[up], weights[down] = (
            weights[gate][kept],
            weights[up][kept],
            weights[down][:, kept],
        )
    return weights


def store(model: LlamaForCausalLM, root: Path) -> None:
    """Write the weights as float16 to save space; the config says float32, in which they are loaded."""
    disable_progress_bar()
    weights = {name: weight.half().contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, root / "model.safetensors", metadata={"format": "pt"})
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(root)
    model.generation_config.save_pretrained(root)
