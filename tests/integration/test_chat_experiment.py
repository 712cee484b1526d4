"""An experiment with chat models that think, on a task from a file: from the taught models to the report."""

from __future__ import annotations

import csv
import json

import pytest
from chat_model import save_chat_model, write_task

pytestmark = [pytest.mark.train, pytest.mark.timeout(3000)]

EXPERIMENT = """\
name: chatty
task: ./task.yaml
weak:
  name: small
  model: ./taught
  generation: {sampling: {temperature: 0.8}}
strong:
  name: large
  model: ./taught
  preset: chat_lora_sft
  overrides: {max_steps: 10, warmup_steps: 0, per_device_train_batch_size: 8, gradient_accumulation_steps: 1}
iterations: 1
last_iteration: [hybrid]
baselines: [weak_floor, weak_icl]
stage2:
  samples: 4
  min_confidence: 0.25
  negative_confidence: 0.25
  methods:
    dpo: {overrides: {max_steps: 4, warmup_steps: 0, gradient_accumulation_steps: 1}}
generation:
  engine: transformers
  options: {batch_size: 40}
  thinking: on
  sampling: {temperature: 0.6, top_p: 0.95, top_k: 20}
  no_stop: true
demonstrations: {count: 1}  # the taught model has not seen longer conversations
scoring: {extract: auto}
evaluation: {avg_at: {k: 2}}
limit: {train_2: 40, split: 20}
llamafactory: {cpu: true}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The experiment, its task, and the embedded strong model with a chat template."""
    folder = tmp_path_factory.mktemp("chat")
    write_task(folder, 1500)
    save_chat_model("arithmetic_strong", folder / "base")
    (folder / "chatty.yaml").write_text(EXPERIMENT)
    return folder


def test_chat_models_that_think_go_through_a_run(w2s, folder):
    task, taught = folder / "task.yaml", folder / "taught"
    data = folder / "data"
    w2s("build-data", "--stage", "gold", "--task", task, "--split", "warm", "--chat", "on",
        "--output", data / "warm.json", "--no-config")  # fmt: skip
    w2s("make-config", "--preset", "tiny_base_full_sft", "--set", "template=auto", "--thinking", "on",
        "--set", "num_train_epochs=3", "--model", folder / "base", "--dataset", "warm", "--dataset-dir", data,
        "--output-dir", taught, "--output", folder / "taught.yaml")  # fmt: skip
    w2s("train", folder / "taught.yaml")
    run = folder / "run"
    done = w2s("run", folder / "chatty.yaml", "--output-dir", run)
    assert f"the report: {run / 'report.html'}" in done.stdout
    with (run / "report/models.csv").open() as file:
        models = {row["key"]: row for row in csv.DictReader(file)}
    assert models.keys() == {"weak_floor", "weak_icl", "iter1_hybrid_ft", "dpo"}
    assert all(row["avg_k"] == "2" and row["avg_at_k"] for row in models.values())
    assert float(models["weak_floor"]["accuracy"]) > 0.5  # 85 % where it was first run
    assert "extracted by auto" in (run / "report.html").read_text()
    check_rows(run)


def check_rows(run):
    """Prompts are user turns, responses think and box; training rows keep both, as asked."""
    weak = run / "seed0/outputs/sums_train_2/zero_shot/small_sums_1/zero-shot/direct/t0.8/seed0/results.jsonl"
    rows = [json.loads(line) for line in weak.read_text().splitlines()]
    assert len(rows) == 40
    assert not any(row["prompt"].startswith("Question:") for row in rows)
    right = [row for row in rows if row["result"]]
    assert all(row["response"].startswith("<think>\n") for row in right)
    assert all(f"\\boxed{{{row['pred']}}}" in row["response"] for row in right)
    hybrid = json.loads(
        (run / "seed0/data/llama_factory/sums/train_sums_small_iter1_hybrid.json").read_text()
    )
    assert hybrid
    assert {row["content"] for row in hybrid} <= {row["prompt"] for row in rows}
    config = next((run / "seed0/configs").glob("*iter1_hybrid.yaml")).read_text()
    assert "\ntemplate: qwen3 " in config
    assert "\nenable_thinking: true " in config
