"""Check LLaMA-Factory's DPO or ORPO against plain torch: loss and gradient norm of the first steps.

    python scripts/check_preference_training.py dpo.yaml

The YAML is one by which LLaMA-Factory has trained, in one process on the CPU, with `logging_steps: 1`. Its
first steps are repeated, one response at a time and without padding, and compared with the log; libraries
give model, tokenizer and AdamW. docs/stage2.md says what is repeated.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch
from omegaconf import OmegaConf
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from yaml import YAMLError

if TYPE_CHECKING:
    from collections.abc import Iterator

Config = dict[str, Any]
Pair = tuple[list[int], list[int], list[int]]  # the tokens of prompt, chosen and rejected response
DEFAULTS: Config = {"gradient_accumulation_steps": 1, "max_steps": 0, "max_grad_norm": 1.0}


class Lora(torch.nn.Module):
    """A linear layer with an adapter, whose weights are drawn in the order in which peft draws them."""

    on = True  # for all adapters together

    def __init__(self, linear: torch.nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.linear, self.scale = linear, alpha / rank
        self.a = torch.nn.Linear(linear.in_features, rank, bias=False)
        self.b = torch.nn.Linear(rank, linear.out_features, bias=False)
        torch.nn.init.kaiming_uniform_(self.a.weight, a=math.sqrt(5))
        torch.nn.init.zeros_(self.b.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output, with or without the adapter's."""
        return self.linear(x) + self.scale * self.b(self.a(x)) if Lora.on else self.linear(x)


def model_with_adapter(config: Config) -> Any:
    """Load the model, freeze it, and put an adapter on each target layer."""
    set_seed(config["seed"])
    model = AutoModelForCausalLM.from_pretrained(config["model_name_or_path"], dtype=torch.float32)
    model.requires_grad_(requires_grad=False)
    for name, layer in list(model.named_modules()):
        if name.rpartition(".")[2] in config["lora_target"].split(","):
            model.set_submodule(name, Lora(layer, config["lora_rank"], config["lora_alpha"]))
    return model


def read_pairs(config: Config) -> list[Pair]:
    """Return the pairs as the template `vanilla` encodes them: no BOS, and EOS after each response."""
    tokenizer = AutoTokenizer.from_pretrained(config["model_name_or_path"])
    entry = json.loads(Path(config["dataset_dir"], "dataset_info.json").read_text("utf-8"))[config["dataset"]]
    pairs: list[Pair] = []
    for row in json.loads(Path(config["dataset_dir"], entry["file_name"]).read_text("utf-8")):
        texts = [row[entry["columns"][role]] for role in ("prompt", "chosen", "rejected")]
        prompt, *responses = (tokenizer.encode(text, add_special_tokens=False) for text in texts)
        pairs.append((prompt, *([*response, tokenizer.eos_token_id] for response in responses)))
    return pairs


def log_probabilities(model: Any, prompt: list[int], *responses: list[int]) -> list[torch.Tensor]:
    """Return, for each response, the sum of the log-probabilities of its tokens after the prompt."""
    logits = [model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1] for tokens in responses]
    return [x.log_softmax(-1)[range(len(y)), y].sum() for x, y in zip(logits, responses, strict=True)]


def pair_loss(model: Any, pair: Pair, config: Config) -> torch.Tensor:
    """Return a pair's loss: DPO (arXiv 2305.18290, equation 7) or ORPO (arXiv 2403.07691, equations 6, 7)."""
    policy = log_probabilities(model, *pair)
    means = [total / len(tokens) for total, tokens in zip(policy, pair[1:], strict=True)]
    if config["pref_loss"] == "orpo":
        log_odds = [mean - torch.log(1 - mean.exp()) for mean in means]
        loss = -means[0] - config["pref_beta"] * logsigmoid(log_odds[0] - log_odds[1])
    else:
        Lora.on = False  # the reference is the model without its adapter
        reference = [total.detach() for total in log_probabilities(model, *pair)]
        Lora.on = True
        loss = -logsigmoid(config["pref_beta"] * (policy[0] - reference[0] - policy[1] + reference[1]))
    return loss - config["pref_ftx"] * means[0]


def epoch_steps(pairs: list[Pair], config: Config, epoch: int) -> list[list[list[Pair]]]:
    """Return the batches of each optimizer step of an epoch, in the order of accelerate's sampler."""
    size, together = config["per_device_train_batch_size"], config["gradient_accumulation_steps"]
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(config["seed"] + epoch))
    batches = [[pairs[row] for row in order[at : at + size]] for at in range(0, len(pairs), size)]
    return [batches[at : at + together] for at in range(0, len(batches), together)]


def train(config: Config) -> Iterator[tuple[float, float]]:
    """Yield the loss of each step, a mean over its batches' means, and its gradient norm before clipping."""
    model, pairs = model_with_adapter(config), read_pairs(config)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, weight_decay=0.0)
    total = config["max_steps"] or math.ceil(config["num_train_epochs"] * len(epoch_steps(pairs, config, 0)))
    steps = (step for epoch in range(total) for step in epoch_steps(pairs, config, epoch))
    for number, step in zip(range(total), steps, strict=False):
        means = [torch.stack([pair_loss(model, pair, config) for pair in batch]).mean() for batch in step]
        loss = torch.stack(means).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = math.sqrt(sum(weight.grad.square().sum().item() for weight in weights))
        yield loss.item(), norm
        for weight in weights:
            weight.grad *= min(1.0, config["max_grad_norm"] / norm)
        optimizer.param_groups[0]["lr"] = config["learning_rate"] * (1 - number / total)
        optimizer.step()


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--steps", type=click.IntRange(1), default=20, show_default=True, help="Steps to compare.")
@click.option("--tolerance", default=0.01, help="Largest relative difference allowed.", show_default=True)
def main(file: Path, steps: int, tolerance: float) -> None:
    """Compare the first steps of a training with LLaMA-Factory's log; exit code 1 if they differ."""
    try:
        config: Config = DEFAULTS | OmegaConf.to_container(OmegaConf.load(file))
        if (config["pref_loss"], config["template"]) not in (("sigmoid", "vanilla"), ("orpo", "vanilla")):
            raise ValueError("expected pref_loss sigmoid or orpo, and the template vanilla")
        log = json.loads(Path(config["output_dir"], "trainer_state.json").read_text("utf-8"))["log_history"]
        logged = [(entry["loss"], entry["grad_norm"]) for entry in log if "loss" in entry][:steps]
    except (OSError, LookupError, TypeError, ValueError, YAMLError) as error:
        raise click.UsageError(f"{file}: no finished training: {type(error).__name__}: {error}") from None
    if len(logged) < steps:
        raise click.UsageError(f"expected a log of {steps} steps, got {len(logged)}. Hint: logging_steps: 1")
    print("step | loss: theirs, ours, difference | gradient norm: theirs, ours, difference")
    differences = []
    for number, (theirs, ours) in enumerate(zip(logged, train(config), strict=False), 1):
        differences.append([abs(mine / other - 1) for mine, other in zip(ours, theirs, strict=True)])
        rows = zip(theirs, ours, differences[-1], strict=True)
        print(f"{number:4} |", *(f"{a:10.6f} {b:10.6f} {c:8.1e} |" for a, b, c in rows), flush=True)
    largest = [max(column) for column in zip(*differences, strict=True)]
    print(f"{steps} steps, largest difference: loss {largest[0]:.1e}, gradient norm {largest[1]:.1e}")
    raise SystemExit(0 if all(apart <= tolerance for step in differences for apart in step) else 1)


if __name__ == "__main__":
    main()
