"""`init`: a commented experiment file to start from."""

from __future__ import annotations

import os
import re
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
CHAT_PRESET = "chat_lora_sft"


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
_CHAT_TRAIN = (
    "  # train: {preset: chat_lora_sft}  # fine-tune it on gold train_1; without train it is used as it is"
)
_BASELINES = "# baselines: [weak_floor, strong_zero_shot, full_weak, weak_icl, strong_ceiling]"
_NO_CEILING = "baselines: [weak_floor, strong_zero_shot, full_weak, weak_icl]  # a strong_ceiling needs gold"


def write_experiment(
    task: Task | str,
    output: str | Path,
    *,
    weak: str | None = None,
    strong: str | None = None,
    chat: bool = False,
    force: bool = False,
) -> None:
    """Write an experiment file for a task, with a comment on each key.

    It names the paper's first pair of models unless others are given; for the embedded task, the models that
    come with it.

    Args:
        task: The task, its name, or the file that defines it.
        output: The YAML file.
        weak: The weak model, a folder or hub name.
        strong: The strong model, likewise.
        chat: Whether the models are chat models, which are trained and asked in their own chat templates.
        force: Overwrite an existing file.

    Raises:
        UserError: There is no such task, it lacks a split that the experiment needs, a chat experiment lacks
            a model, or the file exists and holds something else.
    """
    if chat and not (weak and strong):
        raise UserError(
            "needs --weak and --strong", field="--chat", hint="The paper's models are base models"
        )
    found = get_task(task)
    _check_splits(found)
    models = _given(_models(found), Path(output), {"weak": weak, "strong": strong}, chat=chat)
    train = _TRAIN.format(preset=models.weak_preset) if found.teaches_gold else _NO_TRAIN
    text = Template(_lines("chat" if chat else "base")).substitute(
        asdict(models),
        weak_train=_CHAT_TRAIN if chat and found.teaches_gold else train,
        baselines=_BASELINES if found.teaches_gold else _NO_CEILING,
        name=found.name,
        task=_from(output, found.argument) if found.file else found.name,
        iterations=1 if found.name == "math" else 2,  # the paper's
    )
    with Outputs(reads=[TEMPLATE], force=force) as outputs:
        outputs.text(output, text)


def _lines(kind: str) -> str:
    """Return the template's lines for `base` or `chat` models; those of one kind begin with its name."""
    lines = (line.partition("| ") for line in TEMPLATE.read_text("utf-8").splitlines(keepends=True))
    return "".join(
        rest if before == kind else f"{before}{mark}{rest}"
        for before, mark, rest in lines
        if before == kind or before not in ("base", "chat")
    )


def _from(output: str | Path, path: str) -> str:
    """Return a path as the file at `output` names it: relative to its own folder."""
    relative = os.path.relpath(Path(path).expanduser(), Path(output).parent)
    return relative if relative.startswith("..") else f"./{relative}"


def _given(models: _Models, output: Path, named: dict[str, str | None], *, chat: bool) -> _Models:
    """Return the models of a new file with those that the user names in their places."""
    changed: dict[str, str] = {}
    for side, model in named.items():
        if model is not None:
            relative = Path(model).is_dir() and not Path(model).is_absolute()
            path = _from(output, model) if relative else model
            changed |= {f"{side}_model": path, f"{side}_name": _name(model)}
    presets = {"weak_preset": CHAT_PRESET, "strong_preset": CHAT_PRESET} if chat else {}
    return replace(models, **changed, **presets)


def _name(model: str) -> str:
    """Return a model's name for files: the last part of its folder or hub name."""
    return re.sub(r"[^\w.-]", "_", Path(model).name).lstrip(".-") or "model"


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
