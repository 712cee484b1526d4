"""A training that is killed and resumed from its last checkpoint ends in the weights of an undisturbed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from tiny_training import w2s

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train

STEPS = ("max_steps=60", "save_strategy=steps", "save_steps=10", "lora_dropout=0.1")


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 1_000
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def kill(process: subprocess.Popen[str]) -> None:
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=30)
    process.communicate()


def noted(folder: Path) -> dict[str, object]:
    return json.loads((folder / "manifest.jsonl").read_text().splitlines()[-1])


def test_a_killed_training_is_resumed(config: Path, tmp_path: Path) -> None:
    undisturbed = w2s("train", config, *STEPS, f"output_dir={tmp_path / 'undisturbed'}", cwd=tmp_path)
    assert undisturbed.returncode == 0, undisturbed.stderr
    process = subprocess.Popen(
        [sys.executable, "-m", "w2s_factory", "train", str(config), *STEPS, "--resume"],
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    out = tmp_path / "out"
    wait_for(out / "checkpoint-20" / "trainer_state.json", process)
    kill(process)
    assert not (out / "adapter_model.safetensors").exists()

    resumed = w2s("train", config, *STEPS, "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    name, _, step = str(noted(out)["resumed_from"]).partition("-")
    assert (name, 20 <= int(step) < 60) == ("checkpoint", True)
    adapter = (out / "adapter_model.safetensors").read_bytes()
    assert adapter == (tmp_path / "undisturbed/adapter_model.safetensors").read_bytes()
    assert "resumed_from" not in noted(tmp_path / "undisturbed")

    # the file is cut off where `trainer_state.json` is whole, as by a full disk or a power failure
    (out / "adapter_model.safetensors").unlink()
    os.truncate(out / "checkpoint-60" / "optimizer.pt", 5_000)
    again = w2s("train", config, *STEPS, "--resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "checkpoint-60 is left out (optimizer.pt is damaged)" in again.stderr
    assert noted(out)["resumed_from"] == "checkpoint-50"
    assert adapter == (out / "adapter_model.safetensors").read_bytes()
