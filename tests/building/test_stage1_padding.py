"""Padded Stage I sets: which rows, in which order, with which keys; and that padding must be asked for."""

from __future__ import annotations

import json

import pytest

from w2s_factory.building import Padding, build_stage1
from w2s_factory.errors import UserError
from w2s_factory.tasks import get_task


def result(number: int, side: str, pred: str) -> dict:
    return {
        "id": number,
        "prompt": f"Question: {number}?\nAnswer:",
        "response": f"{side} {pred}",
        "pred": pred,
        "gold": "1",
        "result": pred == "1",
    }


@pytest.fixture
def files(tmp_path):
    """Ten questions; weak and icl agree on the even ones."""
    sides = {
        side: [result(n, side, "1" if side == "weak" or n % 2 == 0 else "2") for n in range(10)]
        for side in ("weak", "icl")
    }
    for side, rows in sides.items():
        (tmp_path / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "weak.jsonl", tmp_path / "icl.jsonl", tmp_path / "out"


def build(files, **options):
    made = build_stage1(get_task("math"), *files, weak_name="tiny", **options)
    padded, unpadded = (
        {side: json.loads(one.file.read_text()) for side, one in built.items()}
        for built in (made.built, made.unpadded)
    )
    return made, padded, unpadded


def test_a_padded_iteration(files):
    made, padded, unpadded = build(files, padding=Padding(to=8, seed=5))
    assert [one.file.name for one in made.built.values()] == [
        f"train_math_tiny_iter1_{side}.json" for side in ("weak", "icl", "hybrid")
    ]
    assert [one.file.name for one in made.unpadded.values()] == [
        f"train_math_tiny_iter1_{side}_wo_aug.json" for side in ("weak", "icl", "hybrid")
    ]
    tail = [row["id"] for row in padded["weak"][5:]]
    assert [row["id"] for row in padded["weak"][:5]] == [0, 2, 4, 6, 8]
    assert len(set(tail)) == 3
    assert set(tail) <= {1, 3, 5, 7, 9}
    assert [row["id"] for row in padded["icl"]] == [row["id"] for row in padded["weak"]]
    assert list(padded["icl"][5]) == ["id", "content", "output", "gold", "pred", "result"]
    assert (padded["icl"][5]["pred"], padded["icl"][5]["result"]) == ("2", False)
    turns = [row for pair in zip(padded["weak"][:5], padded["icl"][:5], strict=True) for row in pair]
    assert padded["hybrid"] == turns + padded["weak"][5:] + padded["icl"][5:]
    assert [list(row) for row in unpadded["weak"]] == [["id", "content", "output"]] * 5


def test_the_seed_decides_which_questions_pad(files):
    _, first, _ = build(files, padding=Padding(to=7, seed=1))
    _, again, _ = build((*files[:2], files[2] / "again"), padding=Padding(to=7, seed=1))
    others = [
        build((*files[:2], files[2] / str(seed)), padding=Padding(to=7, seed=seed))[1] for seed in range(2, 9)
    ]
    assert first == again
    assert any(other != first for other in others)


def test_without_padding_there_is_none(files):
    made, plain, _ = build(files)
    assert made.unpadded == {}
    assert [list(row) for row in plain["weak"]] == [["id", "content", "output"]] * 5


@pytest.mark.parametrize(
    ("number", "problem"), [(4, "5 questions are kept, more than 4"), (11, "too few for 11")]
)
def test_padding_that_cannot_be(files, number, problem):
    with pytest.raises(UserError, match=problem):
        build(files, padding=Padding(to=number))
    assert not files[2].exists()


def test_the_command_warns(w2s, tmp_path):
    done = w2s("build-data", "--stage", 1, "--pad-to", 900, "--seed", 3, "--output-dir", "out")
    assert "warning: padded to 900 questions with 198 on which weak and icl disagree" in done.stderr
    rows = json.loads((tmp_path / "cwd/out/train_arithmetic_simulated_weak_iter1_weak.json").read_text())
    assert len(rows) == 900


def test_a_seed_without_padding_is_refused(w2s):
    assert "only with --pad-to" in w2s("build-data", "--stage", 1, "--seed", 3, code=2).stderr
