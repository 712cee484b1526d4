"""The accuracies on fresh questions: which models are asked, how, and what the table says."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import fresh_accuracy
import numpy as np
import pytest
from fresh_questions import main as draw

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

STRONG = ROOT / "data/models/arithmetic_strong"


def plan(folder: Path, *rules: str) -> Path:
    """Write a plan whose steps ask the embedded strong base, by the names of their rules."""
    ask = [
        "w2s-factory",
        "generate",
        "--task",
        "arithmetic",
        "--questions",
        "test.jsonl",
        "--model",
        str(STRONG),
    ]
    ask += ["--engine", "transformers", "--max-tokens", "16", "--output-dir", "answers"]
    steps = [{"rule": rule, "commands": shlex.join(ask)} for rule in rules]
    (folder / "plan.json").write_text(json.dumps({"steps": steps}))
    return folder / "plan.json"


def test_the_models_asked_are_those_that_answered_test(tmp_path):
    rules = ["seed0_generate_dpo_test", "seed0_score_dpo_test", "seed0_generate_m_train_2", "report"]
    found = fresh_accuracy.planned(plan(tmp_path, *rules, "seed1_generate_weak_test"))
    assert [(asked.model, asked.seed) for asked in found] == [("dpo", "seed0"), ("weak", "seed1")]
    assert found[0].command[:2] == ["w2s-factory", "generate"]


def test_a_row_has_the_mean_each_seed_and_the_difference_from_m_plus():
    half, all_right = np.array([[True, False] * 50] * 2), np.ones((2, 100), dtype=bool)
    half_row, right_row = fresh_accuracy.rows({fresh_accuracy.M_PLUS: half, "dpo": all_right})
    assert (half_row["mean"], half_row["seeds"]) == ("50.0", "50.0, 50.0")
    assert "gain" not in half_row
    assert (right_row["mean"], right_row["gain"]) == ("100.0", "+50.0")
    assert float(right_row["gain_low"]) < 50 < float(right_row["gain_high"])


@pytest.mark.slow
def test_a_model_answers_fresh_questions(tmp_path, monkeypatch):
    """Ask a real model by a plan's command; its answers and verdicts are those of the questions."""
    questions = tmp_path / "fresh.jsonl"
    monkeypatch.setattr("sys.argv", ["", "--number", "5", "--seed", "1", "--output", str(questions)])
    draw()
    known = {row["question"] for row in map(json.loads, questions.read_text().splitlines())}
    assert len(known) == 5
    (asked,) = fresh_accuracy.planned(plan(tmp_path, "seed0_generate_strong_test"))
    right = fresh_accuracy.answered(asked, tmp_path, questions, tmp_path / "out")
    rows = [
        json.loads(line) for line in (tmp_path / "out/seed0/strong/results.jsonl").read_text().splitlines()
    ]
    assert right == [row["result"] for row in rows]
    assert len(rows) == 5
    assert all(any(question in row["prompt"] for question in known) for row in rows)
