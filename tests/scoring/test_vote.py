"""`vote`: the published form, any number of seeds, constant memory."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from w2s_factory import UserError, evaluate, vote


def write_seed(folder, seed, rows):
    path = folder / f"seed{seed}" / "results.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def result(name, pred, gold="1"):
    return {
        "id": name,
        "prompt": "p",
        "response": f"r{pred}",
        "pred": pred,
        "gold": gold,
        "result": pred == gold,
    }


def test_majority_file(tmp_path):
    # seed10 comes after seed9, not after seed1
    for seed, preds in {0: ["2", ""], 9: ["1", "3"], 10: ["1", ""], 1: ["2", "1"]}.items():
        write_seed(tmp_path, seed, [result(name, pred) for name, pred in enumerate(preds)])
    summary = vote(tmp_path, tmp_path / "vote.jsonl")
    assert (summary.questions, summary.samples, summary.right, summary.empty) == (2, 4, 0, 1)
    sample = {
        pred: {"response": f"r{pred}", "pred": pred, "result": pred == "1"} for pred in ("", "1", "2", "3")
    }
    assert [json.loads(line) for line in (tmp_path / "vote.jsonl").read_text().splitlines()] == [
        {
            "id": 0,
            "prompt": "p",
            "gold": "1",
            "pos_responses": [sample["2"], sample["2"]],
            "neg_responses": [sample["1"], sample["1"]],
            "confidence": 0.5,
        },
        {
            "id": 1,
            "prompt": "p",
            "gold": "1",
            "pos_responses": [sample[""], sample[""]],
            "neg_responses": [sample["1"], sample["3"]],
            "confidence": 0.5,
        },
    ]


def test_one_seed_is_its_own_majority(tmp_path):
    write_seed(tmp_path, 3, [result(0, "1")])
    vote(tmp_path, tmp_path / "vote.jsonl")
    row = json.loads((tmp_path / "vote.jsonl").read_text())
    assert (row["confidence"], row["neg_responses"]) == (1.0, [])


def test_refusals(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        vote(tmp_path / "none", tmp_path / "v.jsonl")
    with pytest.raises(UserError, match="seed0, seed1"):
        vote(tmp_path, tmp_path / "v.jsonl")
    write_seed(tmp_path, 0, [result(0, "1"), result(1, "1")])
    write_seed(tmp_path, 1, [result(0, "1")])
    with pytest.raises(UserError, match=r"seed1/results\.jsonl: ends before the row with id 1"):
        vote(tmp_path, tmp_path / "v.jsonl")
    write_seed(tmp_path, 2, [result(7, "1")])
    (tmp_path / "seed1" / "results.jsonl").unlink()
    with pytest.raises(UserError, match=r"seed1/results\.jsonl: is missing"):
        vote(tmp_path, tmp_path / "v.jsonl")
    write_seed(tmp_path / "other", 0, [result(0, "1")])
    write_seed(tmp_path / "other", 1, [result(7, "1")])
    with pytest.raises(UserError, match=r':1: field "id": expected 0 .*, got 7'):
        vote(tmp_path / "other", tmp_path / "v.jsonl")
    assert not (tmp_path / "v.jsonl").exists()


def test_seeds_scored_with_other_golds_are_refused(tmp_path):
    write_seed(tmp_path, 0, [result(0, "1"), result(1, "1", "2")])
    write_seed(tmp_path, 1, [result(0, "1"), result(1, "1", "3")])
    message = r"seed1/results\.jsonl:2: field \"gold\": expected '2' as in the other seeds, got '3'"
    for measure in (
        vote,
        lambda folder: evaluate(folder, pass_at=1),
        lambda folder: evaluate(folder, avg_at=2),
    ):
        with pytest.raises(UserError, match=message):
            measure(tmp_path)


def test_memory_does_not_grow_with_the_questions(tmp_path):
    def most(questions):
        folder = tmp_path / str(questions)
        for seed in range(3):
            write_seed(
                folder, seed, (result(name, "1") | {"response": "x" * 2000} for name in range(questions))
            )
        tracemalloc.start()
        vote(folder, folder / "vote.jsonl")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert most(2000) < most(200) + 200_000


@pytest.mark.parametrize(
    ("seeds", "missing"),
    [
        ([0, 1, 2], ""),
        ([10, 11], ""),
        ([0, 2], "seed1"),
        ([3, 5, 8], "seed4, seed6, seed7"),
        ([0, 4294967295], "seed1, seed2, seed3, seed4, seed5, and 4,294,967,289 more"),
    ],
)
def test_a_gap_between_seeds_is_named(tmp_path, seeds, missing):
    for seed in seeds:
        write_seed(tmp_path / "t", seed, [result(0, "1")])
    assert vote(tmp_path / "t", tmp_path / "vote.jsonl").missing == missing
    notes = evaluate([tmp_path / "t"], pass_at=1).notes
    assert notes == (
        [f"seeds are missing in {tmp_path / 't'} ({missing}); the others are used"] if missing else []
    )
