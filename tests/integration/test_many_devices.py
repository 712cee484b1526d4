"""Real trainings over several processes, on the CPU: ZeRO-3, Ray, and two machines that are one."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from tiny_training import training, w2s

if TYPE_CHECKING:
    from pathlib import Path

RANK = re.compile(r"Process rank: (\d), world size: 2, device: cpu:0, distributed training: True")


def made(preset: str, model: Path, dataset_dir: Path, folder: Path, *more: str) -> Path:
    """Make the YAML of a preset with `--cpu`, as a user without a GPU does; two steps."""
    done = w2s(
        *("make-config", "--preset", preset, "--model", model, "--dataset", "words", "--cpu"),
        *("--dataset-dir", dataset_dir, "--output-dir", folder / "out", "--output", folder / "train.yaml"),
        *("--set", "max_steps=2"),
        *more,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder / "train.yaml"


def parallelism_noted(folder: Path) -> dict[str, object]:
    [line] = (folder / "manifest.jsonl").read_text().splitlines()
    return json.loads(line)["parallelism"]


@pytest.mark.deepspeed
@pytest.mark.timeout(1_200)  # DeepSpeed may have to compile first
def test_zero3_trains_on_two_ranks(tiny_llama: Path, dataset_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("deepspeed")
    config = made("strong_lora_sft_zero3", tiny_llama, dataset_dir, tmp_path)
    done = w2s("train", config, cwd=tmp_path, seconds=1_000, NPROC_PER_NODE="2")
    assert done.returncode == 0, done.stderr
    log = done.stdout + done.stderr
    assert set(RANK.findall(log)) == {"0", "1"}
    assert "Detected DeepSpeed ZeRO-3" in log
    assert "Engine: DeepSpeed ZeRO-3, ranks 2 (cpu), total batch size 16" in done.stdout
    assert parallelism_noted(tmp_path / "out") == {"engine": "DeepSpeed ZeRO-3", "ranks": 2, "batch": 16}


@pytest.mark.deepspeed
@pytest.mark.timeout(1_200)
def test_zero3_trains_on_one_rank_without_a_word_of_torchrun(
    tiny_llama: Path, dataset_dir: Path, tmp_path: Path
) -> None:
    pytest.importorskip("deepspeed")
    config = made("strong_lora_sft_zero3", tiny_llama, dataset_dir, tmp_path)
    done = w2s("train", config, cwd=tmp_path, seconds=1_000)
    assert done.returncode == 0, done.stderr
    assert "Engine: DeepSpeed ZeRO-3, ranks 1 (cpu), total batch size 8" in done.stdout


OWN_CLUSTER = "{num_cpus: 2, include_dashboard: true, object_store_memory: 100000000}"
"""A Ray cluster that LLaMA-Factory starts on this machine. It counts two CPUs, whatever the machine has."""


@pytest.mark.ray
@pytest.mark.timeout(1_200)
def test_ray_trains_with_two_workers_once_fewer_cpus_are_reserved(
    tiny_llama: Path, dataset_dir: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    own = ("--set", f"ray_init_kwargs={OWN_CLUSTER}")
    config = made("strong_lora_sft_ray", tiny_llama, dataset_dir, tmp_path, *own)
    refused = w2s("train", config, cwd=tmp_path)
    assert refused.returncode == 2, refused.stderr
    assert "reserves 10 CPUs of Ray for each of 2 devices (CPU); Ray has 2 CPUs" in refused.stderr
    assert "--ray-cpus 1" in refused.stderr
    assert not (tmp_path / "out").exists()

    shown = {"RAY_DEDUP_LOGS": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    done = w2s("train", config, "--ray-cpus", "1", cwd=tmp_path, seconds=1_000, **shown)
    assert done.returncode == 0, done.stderr
    log = done.stdout + done.stderr
    assert "Using ray.remote mode with 2 workers" in log
    assert "Create placement group with 2 bundles: {'CPU': 1}" in log
    assert set(RANK.findall(log)) == {"0", "1"}
    assert "Engine: DDP under Ray, ranks 2 (cpu), total batch size 16" in done.stdout
    assert parallelism_noted(tmp_path / "out") == {"engine": "DDP", "ray": True, "ranks": 2, "batch": 16}


def on_two_machines(config: Path) -> list[str]:
    """Train on two machines, which are this one; return what each of them printed."""
    together = {"NNODES": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    machines = [
        subprocess.Popen(
            [sys.executable, "-m", "w2s_factory", "train", str(config)],
            cwd=config.parent,
            env={
                **os.environ,
                "CUDA_VISIBLE_DEVICES": "",
                **together,
                "NODE_RANK": str(rank),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [machine.communicate(timeout=800)[0] for machine in machines]
    finally:
        for machine in machines:
            machine.terminate()  # which ends its processes, too
    assert [machine.returncode for machine in machines] == [0, 0], "\n".join(outputs)
    return outputs


@pytest.mark.train
def test_two_machines_of_one_process_each(tiny_llama: Path, dataset_dir: Path, tmp_path: Path) -> None:
    config = tmp_path / "train.yaml"
    config.write_text(yaml.safe_dump(training(tiny_llama, dataset_dir, tmp_path / "out")))
    first, second = on_two_machines(config)
    assert f"Trained: adapter in {tmp_path / 'out'}" in first
    assert "the weights are on the node with NODE_RANK 0" in second
    for rank, output in enumerate((first, second)):
        assert RANK.findall(output) == [str(rank)]
        assert "Engine: DDP, ranks 2 (cpu), total batch size 4" in output
    assert parallelism_noted(tmp_path / "out") == {"engine": "DDP", "ranks": 2, "batch": 4}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
