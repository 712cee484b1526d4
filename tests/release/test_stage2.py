"""Pair files come out as the published code makes them, and the published ones are seen through."""

from __future__ import annotations

import json

import pytest

from w2s_factory import building, records
from w2s_factory.building import PairRules
from w2s_factory.tasks import get_task

pytestmark = pytest.mark.release

SFT = "data/llama_factory"


@pytest.fixture
def cases(release):
    folder = release.parent / "release_facts" / "cases"
    if not folder.is_dir():
        pytest.skip("needs the published code's expected results in release_facts/cases beside W2S_RELEASE")
    return folder


@pytest.mark.parametrize("name", ["gsm8k", "math"])
@pytest.mark.parametrize("weak", ["weak_results.jsonl", "full_weak.json"])
@pytest.mark.parametrize(
    ("negative", "expected"), [(0.8, "expected_paired"), (0.6, "expected_paired_confidence_0.6")]
)
def test_pairs_are_the_published_ones_to_the_byte(cases, tmp_path, name, weak, negative, expected):
    folder, task = cases / f"stage2_{name}", get_task(name)
    made = building.build_stage2(
        task,
        folder / weak,
        folder / "expected_majority_voting_results.jsonl",
        tmp_path / "paired.json",
        rules=PairRules(negative_confidence=negative, pairs_per_question=task.pairs_per_question),
        samples=folder / "t1.0",
        form="release",
    )
    assert made.built.file.read_bytes() == (folder / f"{expected}.json").read_bytes()
    origins = [json.loads(line) for line in made.origins.read_text().splitlines()]
    pairs = json.loads(made.built.file.read_text())
    for origin, pair in zip(origins, pairs, strict=True):
        sampled = pair["output"][origin["weak_side"] == "chosen"]
        path = folder / "t1.0" / f"seed{origin['seed']}" / "results.jsonl"
        assert (
            next(row for row in records.read(path, records.RESULT) if row["id"] == origin["id"])["response"]
            == sampled
        )


@pytest.mark.parametrize("name", ["gsm8k", "math"])
def test_the_command(cases, tmp_path, w2s, name):
    folder = cases / f"stage2_{name}"
    w2s(
        *("build-data", "--stage", 2, "--task", name, "--weak", folder / "weak_results.jsonl"),
        *("--votes", folder / "expected_majority_voting_results.jsonl", "--min-confidence", 0.6),
        *("--negative-confidence", 0.8, "--format", "release", "--output", "paired.json"),
    )
    written = (tmp_path / "cwd/paired.json").read_bytes()
    assert written == (folder / "expected_paired.json").read_bytes()


CHECKED = [
    ("gsm8k", "llama2_7b", 2, (866, 1697, 0)),
    ("gsm8k", "gemma_2b", 2, (8, 5, 2341)),
]


@pytest.mark.parametrize(("name", "weak", "iteration", "counts"), CHECKED)
def test_whose_responses_the_published_pairs_hold(release, name, weak, iteration, counts):
    stem = f"{SFT}/{name}/train_{name}_{weak}"
    found = building.check_pairs(
        release / f"{stem}_iter{iteration}_hybrid_paired.json", release / f"{stem}_full_weak.json"
    )
    assert (found.chosen, found.rejected, len(found.neither)) == counts
    assert found.clean == (counts[2] == 0)


@pytest.mark.parametrize(("name", "stem"), [("gsm8k", "llama2_7b_iter2"), ("math", "llama2_7b_iter1")])
def test_published_pairs_are_converted_there_and_back_without_loss(release, tmp_path, name, stem):
    published = release / SFT / name / f"train_{name}_{stem}_hybrid_paired.json"
    columns = building.convert_pairs(published, tmp_path / "columns.json", "columns")
    back = building.convert_pairs(columns.file, tmp_path / "back.json", "release")
    assert back.file.read_bytes() == published.read_bytes()
    index = records.read_object(tmp_path / "dataset_info.json")
    assert index["columns"]["columns"]["chosen"] == "chosen"
    assert index["back"]["columns"] == {"prompt": "instruction", "query": "input", "response": "output"}
