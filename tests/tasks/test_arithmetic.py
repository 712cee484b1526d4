"""The embedded task: every solution worked out again, splits apart, examples in the release's form."""

from __future__ import annotations

import json
import operator
import re
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from w2s_factory.errors import UserError
from w2s_factory.records import GSM8K_RAW, RESULT, TEST, read
from w2s_factory.tasks import get_task

TASK = get_task("arithmetic")
SIZES = {"train_1": 1500, "train_2": 1500, "dev": 500, "test": 500}
LINE = re.compile(r"(\d+) ([-+x]) (\d+) = (\d+)\.")
COMPUTE = {"+": operator.add, "-": operator.sub, "x": operator.mul}
MEGABYTE = 1024**2


def raw(split):
    return list(read(TASK.path(TASK.splits[split].raw), GSM8K_RAW))


def worked(answer):
    """The lines of a gold solution as (left, operation, right, result), and its final answer."""
    *lines, last = answer.split("\n")
    found = [LINE.fullmatch(line).groups() for line in lines]
    steps = [(int(left), operation, int(right), int(result)) for left, operation, right, result in found]
    return steps, last.removeprefix("#### ")


def test_sizes():
    assert {split: len(raw(split)) for split in TASK.splits} == SIZES
    files = [path for path in TASK.root.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 4 * MEGABYTE


def test_no_question_stands_twice():
    rows = list(chain.from_iterable(raw(split) for split in SIZES))
    assert len({row["question"] for row in rows}) == len({row["id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("split", SIZES)
def test_every_solution_holds(split):
    for row in raw(split):
        steps, answer = worked(row["answer"])
        results = [result for *_, result in steps]
        assert all(COMPUTE[operation](left, right) == result for left, operation, right, result in steps)
        assert answer == str(results[-1])
        assert all(1 <= number <= 199 for number in chain.from_iterable((a, b, c) for a, _, b, c in steps))


@pytest.mark.parametrize("split", SIZES)
def test_every_solution_uses_the_numbers_of_its_question_and_what_it_worked_out(split):
    for row in raw(split):
        steps, _ = worked(row["answer"])
        given = Counter(map(int, re.findall(r"\d+", row["question"])))
        used = Counter(number for left, _, right, _ in steps for number in (left, right))
        on_the_way = {result for *_, result in steps[:-1]}
        assert given <= used, row
        assert on_the_way <= set(used) <= set(given) | on_the_way, row


WORKED_BY_HAND = {
    "arithmetic_3053": 134,  # 85 stamps, 49 more
    "arithmetic_3271": 112,  # 11 hats, 17 more, then 4 times as many
    "arithmetic_3135": 159,  # 98 balls, 77 given away, 4 times as many, 75 more
    "arithmetic_3048": 16,  # 42 fewer stamps than 58
    "arithmetic_3024": 160,  # 40 eggs and 3 times as many, together
    "arithmetic_3257": 56,  # 11 more than 3 stamps, 3 times as many as that, these two together
    "arithmetic_3010": 168,  # 4 coins at 42 dollars
    "arithmetic_3007": 96,  # 3 stamps at 6 dollars, coins for 78
    "arithmetic_3080": 3,  # 39 dollars less 6 stones at 6
    "arithmetic_3004": 49,  # 106 dollars less 4 pens at 2 and apples for 49
    "arithmetic_3000": 63,  # how many more: 73 yellow, 10 white
    "arithmetic_3030": 176,  # how many more: 3 bags of 66, 22 on the floor
    "arithmetic_3001": 164,  # together: 3 boxes of 16, 4 chests of 29
    "arithmetic_3002": 108,  # how many more: 2 baskets of 84, 4 chests of 15
}


def test_golds_of_every_kind_worked_by_hand():
    golds = {row["id"]: worked(row["answer"])[1] for row in raw("dev")}
    assert {name: int(golds[name]) for name in WORKED_BY_HAND} == WORKED_BY_HAND


@pytest.mark.parametrize("split", SIZES)
def test_steps_and_operations_are_spread(split):
    rows = [worked(row["answer"])[0] for row in raw(split)]
    lengths = Counter(map(len, rows))
    assert set(lengths) == {1, 2, 3}
    assert min(lengths.values()) > SIZES[split] / 4
    operations = Counter(operation for steps in rows for _, operation, *_ in steps)
    assert min(operations[name] for name in "+-x") > sum(operations.values()) / 8


@pytest.mark.parametrize("split", SIZES)
def test_golds_are_the_raw_rows_in_test_form(split):
    at = TASK.splits[split]
    assert list(read(TASK.path(at.test), TEST)) == [TASK.test_row(row, at.tag) for row in raw(split)]


@pytest.mark.parametrize("side", ["weak", "icl"])
def test_example_results_answer_train_2_in_the_release_form(side):
    rows = list(read(getattr(TASK.example, side), RESULT))
    questions = raw("train_2")
    assert len(rows) == len(questions)
    for number, (row, question) in enumerate(zip(rows, questions, strict=True)):
        assert list(row) == ["id", "prompt", "response", "pred", "gold", "result"]
        assert (row["id"], row["prompt"]) == (number, TASK.prompt(question["question"]))
        assert row["gold"] == worked(question["answer"])[1]
        assert row["pred"] == row["response"].rpartition("#### ")[2]
        assert row["result"] is (row["pred"] == row["gold"])
        assert row["response"] == row["response"].strip().strip(".")


def test_about_half_is_right_and_about_half_agrees():
    weak, icl = (list(read(path, RESULT)) for path in (TASK.example.weak, TASK.example.icl))
    right = sum(row["result"] for row in weak)
    agree = [a for a, b in zip(weak, icl, strict=True) if a["pred"] == b["pred"] != ""]
    assert 0.45 <= right / len(weak) <= 0.55
    assert 0.45 <= len(agree) / len(weak) <= 0.55
    assert sum(row["result"] for row in agree) / len(agree) > 0.9
    said = (TASK.root.parent.parent / "docs" / "arithmetic.md").read_text()
    assert f"agree on {len(agree)} of 1,500" in " ".join(said.split())
    assert f"{right / len(weak):.1%}".replace("%", " %") in said


@pytest.mark.parametrize("model", [TASK.example.model, Path(TASK.strong_model)])
def test_its_models_are_llamas(model):
    config = json.loads((model / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]


def test_a_root_may_be_named():
    assert TASK.path("dev.jsonl", Path("elsewhere")) == Path("elsewhere/dev.jsonl")
    assert get_task("gsm8k").path("data/test/gsm8k.jsonl", Path("r")) == Path("r/data/test/gsm8k.jsonl")
    with pytest.raises(UserError, match="files of task gsm8k must be named"):
        get_task("gsm8k").path("data/test/gsm8k.jsonl")
