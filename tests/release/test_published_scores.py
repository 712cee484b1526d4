"""Verdicts, golds and majority files of the published release, row for row and byte for byte."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import w2s_factory

pytestmark = pytest.mark.release
PUBLISHED = "outputs/gsm8k_train_2/zero_shot/llama2_7b_gsm8k_1/zero-shot/direct/results.jsonl"
SPLITS = [
    ("gsm8k", "data/test/gsm8k.jsonl"),
    ("gsm8k", "data/test/gsm8k_train_2.jsonl"),
    ("math", "data/test/math.jsonl"),
]


@pytest.fixture(scope="module")
def root():
    if "W2S_RELEASE" not in os.environ:
        pytest.skip("W2S_RELEASE does not name the published release")
    return Path(os.environ["W2S_RELEASE"])


@pytest.fixture(scope="module")
def cases(root):
    folder = root.parent / "release_facts" / "cases"
    if not folder.is_dir():
        pytest.skip("no cases beside the release")
    return folder


def lines(path):
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_published_rows_come_out_byte_for_byte(root, tmp_path):
    out = tmp_path / "results.jsonl"
    summary = w2s_factory.score("gsm8k", root / "data/test/gsm8k_train_2.jsonl", root / PUBLISHED, out)
    assert out.read_bytes() == (root / PUBLISHED).read_bytes()
    assert (summary.rows, summary.right) == (7000, 2896)


@pytest.mark.parametrize("mode", ["published", "symbolic"])
@pytest.mark.parametrize("task", ["gsm8k", "math"])
def test_verdicts_of_the_cases(cases, mode, task):
    key = w2s_factory.get_task(task).answer_key
    rows = [row for row in lines(cases / "scoring_vectors.jsonl") if row["answer_key"] == key]
    assert rows
    scored = w2s_factory.score_responses(
        task, [r["response"] for r in rows], [r["answer"] for r in rows], mode
    )
    for row, one in zip(rows, scored, strict=True):
        assert (one.pred, one.gold, one.result, one.limit) == (row["pred"], row["gold"], row[mode], None)


def test_symbolic_changes_only_wrong_to_right_on_published_rows(root):
    rows = lines(root / PUBLISHED)
    golds = [row["answer"] for row in lines(root / "data/test/gsm8k_train_2.jsonl")]
    scored = w2s_factory.score_responses("gsm8k", [row["response"] for row in rows], golds, "symbolic")
    changed = [
        (row["pred"], row["gold"], one.result)
        for row, one in zip(rows, scored, strict=True)
        if row["result"] != one.result
    ]
    assert len(changed) == 13
    assert all(result for *_, result in changed)


@pytest.mark.parametrize("task", ["gsm8k", "math"])
def test_majority_files_come_out_byte_for_byte(cases, tmp_path, task):
    out = tmp_path / "majority_voting_results.jsonl"
    w2s_factory.vote(cases / f"stage2_{task}" / "t1.0", out)
    expected = cases / f"stage2_{task}" / "expected_majority_voting_results.jsonl"
    assert out.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("mode", ["published", "symbolic", "math-verify"])
@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_a_gold_is_right_against_itself(root, name, split, mode):
    task = w2s_factory.get_task(name)
    golds = [row["answer"] for row in lines(root / split)]
    responses = [f"{task.answer_key} {gold}" for gold in golds]
    scored = w2s_factory.score_responses(task, responses, golds, mode, timeout=30)
    assert [gold for gold, one in zip(golds, scored, strict=True) if not one.result] == []
