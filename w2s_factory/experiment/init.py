"""`init`: a commented experiment file to start from."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.records import Outputs
from w2s_factory.shipped import shipped
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from w2s_factory.tasks import Task

TEMPLATE = Path(__file__).with_name("init_template.yaml")


@dataclass(frozen=True)
class _Models:
    """The names, models and presets in a new file; by default the paper's first pair for GSM8K."""

    weak_name: str = "llama2_7b"
    weak_model: str = "meta-llama/Llama-2-7b-hf"
    weak_preset: str = "weak_full_sft"
    strong_name: str = "llama2_70b"
    strong_model: str = "meta-llama/Llama-2-70b-hf"
    strong_preset: str = "strong_lora_sft"
    llamafactory: str = "# llamafactory: {version: null, cpu: false}"


_LLAMA_3 = _Models(
    weak_name="llama3-8b-instruct",
    weak_model="meta-llama/Meta-Llama-3-8B-Instruct",
    strong_name="llama3_70b",
    strong_model="meta-llama/Meta-Llama-3-70B",
)

_TRAIN = """\
  train:  # fine-tune it on gold train_1; leave train out to use the model as it is
    preset: {preset}  # w2s-factory make-config --list
    # overrides: {{num_train_epochs: 3}}  # training arguments that differ from the preset"""
_NO_TRAIN = "  # train: null  # this task has no gold train_1 to fine-tune it on"
_BASELINES = "# baselines: [weak_floor, strong_zero_shot, full_weak, weak_icl, strong_ceiling]"
_NO_CEILING = "baselines: [weak_floor, strong_zero_shot, full_weak, weak_icl]  # a strong_ceiling needs gold"


def write_experiment(task: Task | str, output: str | Path, *, force: bool = False) -> None:
    """Write an experiment file for a task, with a comment on each key.

    It names the paper's first pair of models; for the embedded task, the models that come with it.

    Args:
        task: The task or its name.
        output: The YAML file.
        force: Overwrite an existing file.

    Raises:
        UserError: There is no such task, it lacks a split that the experiment needs, or the file exists and
            holds something else.
    """
    found = get_task(task)
    _check_splits(found)
    models = _models(found)
    text = Template(TEMPLATE.read_text("utf-8")).substitute(
        asdict(models),
        weak_train=_TRAIN.format(preset=models.weak_preset) if found.teaches_gold else _NO_TRAIN,
        baselines=_BASELINES if found.teaches_gold else _NO_CEILING,
        name=found.name,
        task=_task_key(found, Path(output)),
        iterations=1 if found.name == "math" else 2,  # the paper's
    )
    with Outputs(reads=[TEMPLATE], force=force) as outputs:
        outputs.text(output, text)


def _task_key(task: Task, output: Path) -> str:
    """Return the value of the key `task`: the task's name, or its file relative to the experiment file."""
    return task.name if task.file is None else os.path.relpath(task.file, output.parent)


def _check_splits(task: Task) -> None:
    """Check that the task has the splits that the file would name."""
    needed = [*(["train_1"] if task.teaches_gold else []), "train_2", "test"]
    missing = [name for name in needed if name not in task.splits]
    if missing:
        lacking = f"{task.name} without {', '.join(missing)}"
        problem = f"expected a task with the splits {', '.join(needed)}, got {lacking}"
        raise UserError(problem, field="task", hint="Add them to the task (see docs/tasks.md)")


def _models(task: Task) -> _Models:
    if not task.teaches_gold:  # the paper's models for OlympicArena
        return replace(_LLAMA_3, strong_preset=task.strong_preset)
    if task.example is None:
        return replace(_Models(), strong_preset=task.strong_preset)
    weak, strong = (str(shipped("data", "models", f"arithmetic_{side}")) for side in ("weak", "strong"))
    on_cpu = "llamafactory: {version: null, cpu: true}"
    return _Models("small", weak, "tiny_base_full_sft", "large", strong, "tiny_base_lora_sft", on_cpu)
