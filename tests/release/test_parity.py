"""The published files come out byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from w2s_factory import building, records
from w2s_factory.records import Outputs
from w2s_factory.tasks import get_task

pytestmark = pytest.mark.release

SFT = "data/llama_factory"
GOLD = [
    *((name, f"data/raw/{name}/train_{n}.jsonl", f"{SFT}/{name}/{name}_train_{n}.json")
      for name in ("gsm8k", "math") for n in (1, 2)),
]  # fmt: skip
TEST = [
    (name, split.raw, split.test) for name in ("gsm8k", "math") for split in get_task(name).splits.values()
]
RESULTS = "outputs/gsm8k_train_2/zero_shot/llama2_7b_gsm8k_1/zero-shot/direct/results.jsonl"


def need(release: Path, *files: str) -> None:
    missing = [file for file in files if not (release / file).exists()]
    if missing:
        pytest.skip(f"not in this copy of the release: {', '.join(missing)}")


def iterations() -> list[tuple[str, str, int]]:
    """Task, weak model and iteration of each published Stage I whose rows are unpadded."""
    gsm8k = [("gsm8k", weak, n) for weak in ("llama2_7b", "gemma_2b", "mistral_7b") for n in (1, 2)]
    return [*gsm8k, ("math", "llama2_7b", 1)]


def stage1_files(task: str, weak: str, iteration: int) -> dict[str, str]:
    stem = f"{SFT}/{task}/train_{task}_{weak}_iter{iteration}"
    return {side: f"{stem}_{side}.json" for side in ("weak", "icl", "hybrid")}


@pytest.mark.parametrize(("name", "raw", "published"), GOLD)
def test_gold_files(release, tmp_path, name, raw, published):
    need(release, raw, published)
    built = building.build_gold(get_task(name), release / raw, tmp_path / Path(published).name)
    assert built.file.read_bytes() == (release / published).read_bytes()


@pytest.mark.parametrize(("name", "raw", "published"), TEST)
def test_test_files(release, tmp_path, name, raw, published):
    need(release, raw, published)
    building.build_test(get_task(name), release / raw, tmp_path / "test.jsonl")
    assert (tmp_path / "test.jsonl").read_bytes() == (release / published).read_bytes()


def test_full_weak_from_the_published_results(release, tmp_path):
    published = f"{SFT}/gsm8k/train_gsm8k_llama2_7b_full_weak.json"
    need(release, RESULTS, published)
    built = building.build_full_weak(get_task("gsm8k"), release / RESULTS, tmp_path / "full_weak.json")
    assert built.file.read_bytes() == (release / published).read_bytes()


def test_published_results_are_written_back_as_they_were(release, tmp_path):
    need(release, RESULTS)
    records.write(tmp_path / "results.jsonl", records.read(release / RESULTS, records.RESULT))
    assert (tmp_path / "results.jsonl").read_bytes() == (release / RESULTS).read_bytes()


@pytest.mark.parametrize(("name", "weak", "iteration"), iterations())
def test_hybrid_is_weak_and_icl_interleaved(release, tmp_path, name, weak, iteration):
    files = stage1_files(name, weak, iteration)
    need(release, *files.values())
    hybrid = list(records.read(release / files["hybrid"], records.SFT))
    with Outputs() as outputs:
        outputs.rows(tmp_path / "weak.json", hybrid[0::2])
        outputs.rows(tmp_path / "icl.json", hybrid[1::2])
    for side in ("weak", "icl"):
        assert (tmp_path / f"{side}.json").read_bytes() == (release / files[side]).read_bytes()


@pytest.mark.parametrize(("name", "weak", "iteration"), iterations())
def test_stage1_gives_the_published_files_back(release, tmp_path, name, weak, iteration):
    """Results are made from the published sets: kept questions share an invented answer, others differ."""
    files = stage1_files(name, weak, iteration)
    need(release, *files.values())
    kept = {side: list(records.read(release / files[side], records.SFT)) for side in ("weak", "icl")}
    for side in ("weak", "icl"):
        records.write(tmp_path / f"{side}.jsonl", invented(kept[side], side))
    made = building.build_stage1(
        get_task(name),
        tmp_path / "weak.jsonl",
        tmp_path / "icl.jsonl",
        tmp_path / "out",
        weak_name=weak,
        iteration=iteration,
    )
    assert made.agreement.kept == len(kept["weak"])
    for side, built in made.built.items():
        assert built.file.name == Path(files[side]).name
        assert built.file.read_bytes() == (release / files[side]).read_bytes()


def invented(kept: list[records.Sft], side: str) -> list[records.Result]:
    """Results in which the kept rows agree and the ids between them (up to 6,999) do not."""
    texts = {row["id"]: row for row in kept}
    rows: list[records.Result] = []
    for number in range(7000):
        row = texts.get(number)
        rows.append(
            {
                "id": number,
                "prompt": row["content"] if row else "Question: dropped\nAnswer:",
                "response": row["output"] if row else side,
                "pred": f"same{number}" if row else side,
                "gold": "1",
                "result": False,
            }
        )
    assert len(texts) == len(kept)
    return rows


@pytest.mark.parametrize("kind", ["iter1_hybrid", "iter2_weak", "full_weak"])
def test_index_entries_are_the_published_ones(release, tmp_path, kind):
    """The `release` layout gives each dataset the entry the published index has for it."""
    index = records.read_object(release / SFT / "dataset_info.json")
    task = get_task("gsm8k")
    published = f"{SFT}/gsm8k/{task.file_stem('llama2_7b', kind)}.json"
    need(release, published)
    rows = [
        {"id": row["id"], "prompt": row["content"], "response": row["output"]}
        for row in list(records.read(release / published, records.SFT))[:1]
    ]
    records.write(tmp_path / "output.jsonl", rows)
    built = building.build_full_weak(
        task,
        tmp_path / "output.jsonl",
        tmp_path / published,
        recipe=building.Recipe(layout="release"),
    )
    name = f"gsm8k_llama2_7b_{kind}"
    assert built.dataset == name
    assert json.loads(built.index.read_text())[name] == index[name]
