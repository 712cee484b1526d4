"""OlympicArena from a local folder to a trained adapter, command by command, with a tiny model."""

from __future__ import annotations

import json
import shutil

import pytest

from w2s_factory.shipped import shipped

pytestmark = pytest.mark.train

TINY = shipped("data", "models", "tiny_llama")


def row(number, answer):
    return {
        "id": f"Math_{number}",
        "prompt": f"You take part.\n\nproblem:\nWhat is {number}+1?\n\nEnd with a box.",
        "subject": "Math",
        "answer_type": "NV",
        "language": "EN",
        "answer": answer,
    }


@pytest.fixture
def hub(tmp_path):
    folder = tmp_path / "hub" / "Math"
    folder.mkdir(parents=True)
    (folder / "test.json").write_text(json.dumps([row(number, None) for number in range(4)]))
    (folder / "val.jsonl").write_text("".join(json.dumps(row(n, [str(n + 1)])) + "\n" for n in range(2)))
    return folder.parent


def test_end_to_end(hub, w2s, tmp_path):
    pytest.importorskip("llamafactory")
    task = ("--task", "olympic_arena")
    fetched = w2s("fetch", "olympic_arena", "--from", hub, "--output-dir", "data")
    assert "train_2 has 4 questions, the published split 6,020" in fetched.stderr
    golds = "data/data/test/olympicarena_train_2.jsonl"
    asked = (*task, "--release", "data", "--model", TINY, "--engine", "transformers", "--max-tokens", 12)
    w2s("generate", *asked, "--split", "test", "--output-dir", "val")
    w2s(
        "score",
        *task,
        "--golds",
        "data/data/test/olympicarena.jsonl",
        "--input",
        "val/output.jsonl",
        "--output",
        "val/results.jsonl",
    )
    w2s("generate", *asked, "--split", "train_2", "--output-dir", "weak")
    w2s("generate", *asked, "--split", "train_2", "--output-dir", "sampled", "--samples", 3)
    for seed in range(3):
        folder = f"sampled/t1.0/seed{seed}"
        w2s(
            "score",
            *task,
            "--golds",
            golds,
            "--input",
            f"{folder}/output.jsonl",
            "--output",
            f"{folder}/results.jsonl",
        )

    # in the second iteration both sides are asked zero-shot; one model agrees with a copy of its answers
    shutil.copytree(tmp_path / "cwd/weak", tmp_path / "cwd/icl")
    sides = ("--weak", "weak/output.jsonl", "--icl", "icl/output.jsonl", "--weak-name", "llama3-8b-instruct")
    trains = ("--output-dir", "made", "--model", TINY, "--preset", "tiny_lora_sft")
    built = w2s("build-data", "--stage", 1, *task, *sides, "--iteration", 2, *trains)
    assert "weak and icl agree on 4 of 4 questions" in built.stdout
    stem = tmp_path / "cwd" / "made" / "train_olympic_llama3-8b-instruct_iter2_hybrid"
    rows = json.loads(stem.with_suffix(".json").read_text())
    assert [one["id"] for one in rows] == [f"Math_{n // 2}" for n in range(8)]
    assert rows[0]["content"] == "You take part.\n\nQuestion: What is 0+1?\n\nEnd with a box.\n\nAnswer:"

    w2s("vote", *task, "--input", "sampled/t1.0", "--output", "votes.jsonl")
    pairs = (
        "--weak",
        "weak/output.jsonl",
        "--votes",
        "votes.jsonl",
        "--output",
        "made/pairs.json",
        "--model",
        TINY,
    )
    w2s("build-data", "--stage", 2, *task, *pairs, "--min-confidence", 0.3, "--negative-confidence", 0.3)
    assert json.loads((tmp_path / "cwd" / "made" / "pairs.json").read_text())

    trained = w2s("train", stem.with_suffix(".yaml"), "max_steps=1")
    assert "Trained: adapter in" in trained.stdout
