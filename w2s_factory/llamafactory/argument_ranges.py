"""The numbers among LLaMA-Factory's arguments, and what each may be.

LLaMA-Factory and transformers take nearly any number, and find out hours later, or never: a negative
learning rate unlearns, a batch of nothing ends in a traceback. A number is checked wherever a training is
described: in a preset's settings, in an experiment file, and in a YAML with its overrides before it is
started. Arguments that are not listed here are left to LLaMA-Factory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from annotated_types import Ge, Gt, Le, Lt

from w2s_factory.ranges import Seed, problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Count: TypeAlias = Annotated[int, Ge(1), Le(1_000_000_000)]
"""Rows, steps, processes: at least one."""

BatchSize: TypeAlias = Annotated[int, Ge(1), Le(1_000_000)]
"""Rows trained on together."""

Positive: TypeAlias = Annotated[float, Gt(0), Le(1_000_000)]
"""A weight or a number of epochs that is nothing at 0."""

Weight: TypeAlias = Annotated[float, Ge(0), Le(1_000_000)]
"""A weight of something that 0 switches off."""

LearningRate: TypeAlias = Annotated[float, Gt(0), Le(10)]
"""A step along the gradient; above 10 nothing is learned."""

Part: TypeAlias = Annotated[float, Ge(0), Le(1)]
"""A share of something, all of it included."""

ProperPart: TypeAlias = Annotated[float, Ge(0), Lt(1)]
"""A share of something, but not all of it."""

NUMBERS: Final[Mapping[str, Any]] = {
    # how long, and in which portions
    "num_train_epochs": Positive,
    "max_steps": Literal[-1] | Count,  # -1: as many as the epochs give
    "per_device_train_batch_size": BatchSize,
    "per_device_eval_batch_size": BatchSize,
    "gradient_accumulation_steps": BatchSize,
    # the optimiser
    "learning_rate": LearningRate,
    "weight_decay": Weight,
    "warmup_ratio": Part,
    "warmup_steps": Annotated[float, Ge(0), Le(1_000_000_000)],  # below 1: a share of all steps
    "max_grad_norm": Weight,  # 0: gradients are not cut
    "adam_beta1": ProperPart,
    "adam_beta2": ProperPart,
    "adam_epsilon": Annotated[float, Gt(0), Le(1)],
    "label_smoothing_factor": ProperPart,
    "neftune_noise_alpha": Weight | None,
    # what is trained
    "lora_rank": Annotated[int, Ge(1), Le(65_536)],
    "lora_alpha": Count | None,
    "lora_dropout": ProperPart,
    "loraplus_lr_ratio": Positive | None,
    # preferences; the names of older versions too
    "pref_beta": Positive,
    "dpo_beta": Positive,
    "orpo_beta": Positive,
    "pref_ftx": Weight,
    "dpo_ftx": Weight,
    "simpo_gamma": Weight,
    "dpo_label_smoothing": Annotated[float, Ge(0), Le(0.5)],
    # the data
    "cutoff_len": Annotated[int, Ge(1), Le(10_000_000)],
    "max_samples": Count | None,
    "val_size": Annotated[float, Ge(0), Le(1_000_000_000)],  # below 1: a share of all rows
    "preprocessing_num_workers": Annotated[int, Ge(1), Le(1_024)] | None,
    "dataloader_num_workers": Annotated[int, Ge(0), Le(1_024)],
    # what is written, and when
    "logging_steps": Annotated[float, Gt(0), Le(1_000_000_000)],  # below 1: a share of all steps
    "save_steps": Annotated[float, Gt(0), Le(1_000_000_000)],
    "eval_steps": Annotated[float, Gt(0), Le(1_000_000_000)] | None,
    "save_total_limit": Annotated[int, Ge(0), Le(1_000_000_000)] | None,
    "export_size": Count,
    # the rest
    "seed": Seed,
    "data_seed": Seed | None,
    "ray_num_workers": Annotated[int, Ge(1), Le(10_000)],
}
"""The declared number by argument."""


def argument_problem(argument: str, value: Any) -> str | None:
    """Return what is wrong with an argument's value; None if nothing is, or it is not listed here."""
    return problem(value, NUMBERS[argument]) if argument in NUMBERS else None
