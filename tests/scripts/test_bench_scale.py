"""The plain loops that the benchmark of large files compares with write the same rows, and all ways run."""

from __future__ import annotations

import json
import subprocess
import sys

import bench_scale
import pytest

ROWS = 60


def rows(path):
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("step", "ours", "plain"),
    [
        ("stage1", "out/train_gsm8k_weak_iter1_weak.json", "weak.json"),
        ("stage1", "out/train_gsm8k_weak_iter1_icl.json", "icl.json"),
        ("stage1", "out/train_gsm8k_weak_iter1_hybrid.json", "hybrid.json"),
        ("vote", "majority.jsonl", "majority.jsonl"),
        ("score", "results.jsonl", "results.jsonl"),
        ("merge-shards", "output.jsonl", "output.jsonl"),
    ],
)
def test_a_plain_loop_writes_the_same_rows(tmp_path, step, ours, plain):
    bench_scale.STEPS[step].inputs(tmp_path, ROWS)
    bench_scale.STEPS[step].toolkit(tmp_path)
    written = rows(tmp_path / ours)
    assert len(written) >= ROWS / bench_scale.SAMPLES
    (tmp_path / ours).unlink()
    bench_scale.STEPS[step].loop(tmp_path)
    order = (lambda row: int(row["id"].partition("_")[2])) if step == "merge-shards" else (lambda row: 0)
    assert sorted(rows(tmp_path / plain), key=order) == sorted(written, key=order)


@pytest.mark.slow
def test_every_way_of_every_step_is_measured(tmp_path):
    command = [sys.executable, bench_scale.__file__, "--sizes", f"{ROWS}", "--folder", tmp_path]
    done = subprocess.run([*command, "--ways", "toolkit", "loop"], capture_output=True, text=True, check=True)
    head, _, *found = done.stdout.splitlines()
    assert "memory" in head
    assert [line.split(" | ")[0] for line in found] == [f"| {step}" for step in bench_scale.STEPS]
    assert all(
        " s | " in line and line.endswith("| - | - | - |") and line.count(" MB") == 2 for line in found
    )
    assert list(tmp_path.iterdir()) == []
