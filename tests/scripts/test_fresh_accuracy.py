"""The accuracies on fresh questions: which models are asked, how, and what the table says."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import fresh_accuracy
import numpy as np
import pytest
from arithmetic.pretraining_documents import task_questions
from fresh_questions import main as draw

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

STRONG = ROOT / "data/models/arithmetic_strong"


def plan(folder: Path, *rules: str) -> Path:
    """Write a plan whose steps ask the embedded strong base, and score it, by the names of their rules."""
    ask = ["w2s-factory", "generate", "--task", "arithmetic", "--questions", "test.jsonl"]
    ask += [
        "--model",
        str(STRONG),
        "--engine",
        "transformers",
        "--max-tokens",
        "16",
        "--output-dir",
        "answers",
    ]
    rate = ["w2s-factory", "score", "--task", "arithmetic", "--golds", "test.jsonl", "--input", "o.jsonl"]
    rate += ["--output", "r.jsonl", "--force"]
    lenient = [*rate, "--answers", "any"]  # of a zero-shot model, before the strict one
    scores = "\n".join(map(shlex.join, [lenient, rate]))
    steps = [{"rule": rule, "commands": shlex.join(ask) if "generate" in rule else scores} for rule in rules]
    (folder / "plan.json").write_text(json.dumps({"steps": steps}))
    return folder / "plan.json"


def both(seed: int, name: str) -> list[str]:
    return [f"seed{seed}_generate_{name}_test", f"seed{seed}_score_{name}_test"]


def test_the_models_asked_are_those_that_answered_test(tmp_path):
    rules = [
        *both(0, "dpo"),
        *both(0, "iter2_hybrid"),
        "seed0_generate_m_train_2",
        "report",
        *both(1, "weak"),
    ]
    found = fresh_accuracy.planned(plan(tmp_path, *rules))
    assert not any("--answers" in asked.score for asked in found)
    assert [(asked.model, asked.seed) for asked in found] == [
        ("dpo", "seed0"),
        ("iter2_hybrid", "seed0"),
        ("weak", "seed1"),
    ]
    assert found[0].generate[:2] == ["w2s-factory", "generate"]
    assert found[0].score[:2] == ["w2s-factory", "score"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "expected the plan of a run"),
        ("[]", "expected the plan of a run"),
        ('{"steps": [{"rule": "seed0_generate_dpo_test", "commands": ""}]}', "expected the plan of a run"),
        (
            '{"steps": [{"rule": "seed0_generate_dpo_dev", "commands": ""}]}',
            "expected M_plus among the models",
        ),
    ],
)
def test_a_plan_without_what_is_needed_is_refused_in_one_line(tmp_path, monkeypatch, capsys, text, problem):
    (tmp_path / "plan.json").write_text(text)
    (tmp_path / "q.jsonl").touch()
    options = [str(tmp_path), "--questions", str(tmp_path / "q.jsonl"), "--output", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["", *options])
    with pytest.raises(SystemExit) as caught:
        fresh_accuracy.main()
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_row_has_the_mean_each_seed_and_the_differences():
    half, all_right = np.array([[True, False] * 50] * 2), np.ones((2, 100), dtype=bool)
    first, last, right, control = fresh_accuracy.rows(
        {"iter1_hybrid": half, "iter2_hybrid": half, "dpo": all_right, "sft_chosen": all_right}
    )
    assert (first["mean"], first["seeds"]) == ("50.0", "50.0, 50.0")
    assert (first["gain"], first["over_sft"]) == ("+0.0", "-50.0")
    assert "gain" not in last, "it is M_plus"
    assert (right["mean"], right["gain"], right["over_sft"]) == ("100.0", "+50.0", "+0.0")
    assert float(right["gain_low"]) < 50 < float(right["gain_high"])
    assert "over_sft" not in control


@pytest.mark.slow
def test_a_model_answers_fresh_questions(tmp_path, monkeypatch, capsys):
    """Ask a real model by a plan's command; its answers and verdicts are those of the questions."""
    questions = tmp_path / "fresh.jsonl"
    monkeypatch.setattr("sys.argv", ["", "--number", "5", "--seed", "1", "--output", str(questions)])
    draw()
    known = {row["question"] for row in map(json.loads, questions.read_text().splitlines())}
    assert len(known) == 5
    assert not known & set(task_questions())
    plan(tmp_path, *both(0, "iter1_hybrid"))
    limited = (tmp_path / "plan.json").read_text().replace(" --max-tokens", " --limit 2 --max-tokens")
    (tmp_path / "plan.json").write_text(limited)
    options = [str(tmp_path), "--questions", str(questions), "--output", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["", *options])
    fresh_accuracy.main()
    folder = tmp_path / "out/seed0/iter1_hybrid"
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert len(rows) == 5
    assert all(any(question in row["prompt"] for question in known) for row in rows)
    share = 100 * sum(row["result"] for row in rows) / 5
    assert f"iter1_hybrid {share:.1f}" in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "out/fresh.csv").read_text().startswith("model,mean,low,high,seeds")
    other = tmp_path / "other.jsonl"
    monkeypatch.setattr("sys.argv", ["", "--number", "6", "--seed", "2", "--output", str(other)])
    draw()
    monkeypatch.setattr("sys.argv", ["", str(tmp_path), "--questions", str(other), *options[3:]])
    kept = (folder / "output.jsonl").read_bytes()
    with pytest.raises(SystemExit, match="this command failed"):
        fresh_accuracy.main()
    assert (folder / "output.jsonl").read_bytes() == kept


@pytest.mark.parametrize(
    ("number", "output", "message"),
    [(0, "a.jsonl", "expected at least 1, got 0"), (2, "b.jsonl", "Name another --output"), (2, ".", ": ")],
)
def test_fresh_questions_that_cannot_be_written_are_refused(
    tmp_path, monkeypatch, capsys, number, output, message
):
    (tmp_path / "b.jsonl").write_text("mine")
    options = ["--number", str(number), "--seed", "1", "--output", str(tmp_path / output)]
    monkeypatch.setattr("sys.argv", ["", *options])
    with pytest.raises(SystemExit) as caught:
        draw()
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "b.jsonl").read_text() == "mine"
