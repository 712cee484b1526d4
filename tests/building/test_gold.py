"""Rows that a task builds from raw rows are checked before they are written: the next command reads them."""

from __future__ import annotations

import json

import pytest

from w2s_factory import building
from w2s_factory.errors import UserError
from w2s_factory.records import Form
from w2s_factory.scoring.golds import read_golds
from w2s_factory.tasks import Split, Task, get_task

RAW = Form("capitals", {"country": (str,)})
ROW = {"source": "C", "question": "q", "solution": "s", "answer": "a", "tag": {}}


def task(made):
    class Capitals(Task):
        def test_row(self, raw, tag):
            return made[int(raw["country"])]

        def gold_output(self, raw):
            return made[int(raw["country"])].get("taught", "s")

    return Capitals(name="capitals", raw_form=RAW, splits={"train_1": Split("raw.jsonl", "g.jsonl", "C")})


def built(tmp_path, made, stage=building.build_test):
    raw = tmp_path / "raw.jsonl"
    raw.write_text("".join(json.dumps({"country": str(number)}) + "\n" for number in range(len(made))))
    return stage(task(made), raw, tmp_path / "golds.json")


MADE = r"raw\.jsonl:2: task capitals: test_row.*"
WRONG = [
    ({key: value for key, value in ROW.items() if key != "tag"}, MADE + 'field "tag": is missing'),
    ({**ROW, "answer": 5}, MADE + 'field "answer": expected text, got a whole number'),
    (None, MADE + "returned None"),
    ({**ROW, "tag": {"x": {1}}}, MADE + "set is not JSON serializable"),
    (
        {**ROW, "id": 0},
        r'golds\.json: row 2: field "id": duplicate id 0; the row comes from test_row of',
    ),
]


@pytest.mark.parametrize(("row", "problem"), WRONG)
def test_a_row_that_scoring_would_refuse_is_not_written(row, problem, tmp_path):
    with pytest.raises(UserError, match=problem):
        built(tmp_path, [ROW, row])
    assert [path.name for path in tmp_path.iterdir()] == ["raw.jsonl"]


def test_a_gold_solution_that_is_none_is_not_written(tmp_path):
    with pytest.raises(UserError, match=r"gold_output.*None"):
        built(tmp_path, [ROW, {**ROW, "taught": None}], building.build_gold)
    assert [path.name for path in tmp_path.iterdir()] == ["raw.jsonl"]


def test_what_is_right_is_read_again(tmp_path):
    assert built(tmp_path, [ROW, {**ROW, "question": "other"}]) == 2
    assert len(read_golds(tmp_path / "golds.json")) == 2


def test_a_gold_that_the_judge_refuses_is_not_written(tmp_path):
    row = {**ROW, "id": "Math_1", "source": "OLYMPICARENA", "answer": '${"answer": 5}'}
    (tmp_path / "raw.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match=r'golds\.jsonl: row 1: field "answer"'):
        building.build_test(
            get_task("olympic_arena"), tmp_path / "raw.jsonl", tmp_path / "golds.jsonl", split="test"
        )
