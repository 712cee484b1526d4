"""Stage I of OlympicArena from the published responses: all of them agree, and the files come out the same."""

from __future__ import annotations

import json

import pytest

from w2s_factory import build_stage1, get_task
from w2s_factory.building.agreement import agreeing

pytestmark = pytest.mark.release

PREFIX = "train_olympic_llama3-8b-instruct_iter1_"


@pytest.fixture
def sides(release, tmp_path):
    paths = []
    for side in ("weak", "icl"):
        rows = json.loads((release / f"data/llama_factory/olympicarena/{PREFIX}{side}.json").read_text())
        outputs = [{"id": row["id"], "prompt": row["content"], "response": row["output"]} for row in rows]
        paths.append(tmp_path / f"{side}.jsonl")
        paths[-1].write_text("".join(json.dumps(row) + "\n" for row in outputs))
    return paths


def test_rebuilt_byte_for_byte(release, sides, tmp_path):
    made = build_stage1(get_task("olympic_arena"), *sides, tmp_path / "out", weak_name="llama3-8b-instruct")
    assert (made.agreement.questions, made.agreement.kept) == (746, 746)
    for side in ("hybrid", "weak", "icl"):
        published = release / f"data/llama_factory/olympicarena/{PREFIX}{side}.json"
        assert (tmp_path / "out" / published.name).read_bytes() == published.read_bytes()
    assert set(json.loads((tmp_path / "out/dataset_info.json").read_text())) == {
        f"olympic_llama3_8b_instruct_iter1_{side}" for side in ("hybrid", "weak", "icl")
    }


def test_the_direction_is_part_of_the_method(sides):
    weak, icl = sides
    assert agreeing(get_task("olympic_arena"), icl, weak).agreement.kept == 738
