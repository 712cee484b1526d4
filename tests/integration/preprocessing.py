"""LLaMA-Factory's own preprocessing, run as each process of a training runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from w2s_factory.llamafactory.template import with_vanilla

# What each process of a training does before it trains; writes the examples it got, for each set of arguments.
PREPROCESS = """
import json, os, sys
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer

found = []
for args in json.load(open(sys.argv[1])):
    model_args, data_args, training_args, finetuning_args, _ = get_train_args(args)
    loaded = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], data_args)
    stage = "rm" if finetuning_args.stage == "dpo" else finetuning_args.stage
    examples = get_dataset(template, model_args, data_args, training_args, stage=stage, **loaded)
    found.append([dict(example) for example in examples["train_dataset"]])
rank = os.environ.get("RANK", "alone")
json.dump(found, open(f"{sys.argv[2]}.{rank}", "w"))
"""


def preprocess(
    arguments: dict[str, Any], folder: Path, ranks: int | None = None
) -> list[list[dict[str, Any]]]:
    """The examples of each process, started as `w2s-factory train` starts them."""
    return [found for [found] in _run([arguments], folder, ranks)]


def preprocess_each(jobs: list[dict[str, Any]], folder: Path) -> list[list[dict[str, Any]]]:
    """The examples of each set of arguments, all from one process."""
    [found] = _run(jobs, folder, None)
    return found


def _run(jobs: list[dict[str, Any]], folder: Path, ranks: int | None) -> list[list[list[dict[str, Any]]]]:
    (folder / "preprocess.py").write_text(PREPROCESS)
    (folder / "arguments.json").write_text(json.dumps(jobs))
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"] if ranks else []
    environ = with_vanilla(os.environ, Path(sys.executable)) | {
        "CUDA_VISIBLE_DEVICES": "",
        "FORCE_TORCHRUN": "1",
    }
    subprocess.run(
        [sys.executable, *torchrun, "preprocess.py", "arguments.json", "examples"],
        cwd=folder,
        env=environ if ranks else environ | {"FORCE_TORCHRUN": "0"},
        check=True,
        timeout=300,
    )
    names = [str(rank) for rank in range(ranks)] if ranks else ["alone"]
    return [json.loads((folder / f"examples.{name}").read_text()) for name in names]
