"""Demonstrations: the release's sampler, and rows by id."""

from __future__ import annotations

import json
from random import Random

import pytest

from w2s_factory.answers.thinking import Markers
from w2s_factory.errors import UserError
from w2s_factory.generating import named_demonstrations, pick_demonstrations, read_demonstrations
from w2s_factory.records import content_hash, write
from w2s_factory.tasks import get_task

GSM8K = get_task("gsm8k")
FULL_WEAK = "data/llama_factory/gsm8k/train_gsm8k_{}_full_weak.json"


def ids(demonstrations):
    return [one["id"] for one in demonstrations]


@pytest.mark.release
def test_the_set_the_release_drew(release):
    picked = pick_demonstrations(GSM8K, release / FULL_WEAK.format("gemma_2b"))
    assert ids(picked) == [3401, 173, 354, 6272]


@pytest.mark.release
@pytest.mark.parametrize(
    ("weak", "wanted"),
    [
        ("llama2_7b", [2619, 456, 102, 3037]),
        ("gemma_2b", [2619, 102, 3037, 1126]),
        ("gemma_2b", [3401, 173, 354, 6272]),
    ],
)
def test_published_sets_by_id(release, weak, wanted):
    source = release / FULL_WEAK.format(weak)
    rows = {row["id"]: row for row in json.loads(source.read_text())}
    picked = named_demonstrations(source, list(map(str, wanted)))
    assert [(one["id"], one["prompt"], one["response"]) for one in picked] == [
        (id_, rows[id_]["content"], rows[id_]["output"]) for id_ in wanted
    ]
    assert {one["sha256"] for one in picked} == {content_hash(source)}


@pytest.mark.parametrize(
    ("rows", "seed", "wanted"),
    [
        (6000, 24, [883, 4166, 1433, 3722]),  # math, llama2_7b
        (6000, 42, [4162, 5457, 5178, 5737]),  # math, gemma_2b and mistral_7b
        (7000, 24, [4071, 6058, 650, 4889]),  # gsm8k, gemma_2b, random correct
    ],
)
def test_published_sets_whose_sources_are_elsewhere(tmp_path, rows, seed, wanted):
    """With the responses of the other rows before them wrong, the sampler comes to the published ids."""
    order = list(range(rows))
    Random(seed).shuffle(order)
    passed_over = set(order[: order.index(wanted[-1])]) - set(wanted)
    assert len(passed_over) <= 5
    results = [
        {"id": n, "prompt": "q", "response": "r", "pred": "", "gold": "", "result": n not in passed_over}
        for n in range(rows)
    ]
    write(tmp_path / "results.jsonl", results)
    picked = pick_demonstrations(GSM8K, tmp_path / "results.jsonl", seed=seed, correct_only=True)
    assert ids(picked) == wanted


@pytest.mark.parametrize("form", ["full_weak.json", "output.jsonl", "results.jsonl"])
def test_every_form_of_source(tmp_path, form):
    sft = form == "full_weak.json"
    rows = [
        {
            "id": n,
            "content" if sft else "prompt": f"q{n}",
            "output" if sft else "response": f"{n} #### {n}" if n % 2 else "?",
        }
        | ({"pred": "", "gold": "", "result": False} if form == "results.jsonl" else {})
        for n in range(20)
    ]
    write(tmp_path / form, rows)
    picked = pick_demonstrations(GSM8K, tmp_path / form, count=3, seed=1)
    order = list(range(20))
    Random(1).shuffle(order)
    assert ids(picked) == [n for n in order if n % 2][:3]
    assert [one["prompt"] for one in picked] == [f"q{n}" for n in ids(picked)]


def test_they_are_read_back_as_written(tmp_path):
    write(tmp_path / "o.jsonl", [{"id": "Math_1", "prompt": "q", "response": "r"}])
    picked = named_demonstrations(tmp_path / "o.jsonl", ["Math_1"])
    write(tmp_path / "demos.json", picked)
    assert read_demonstrations(tmp_path / "demos.json") == picked
    assert list(picked[0]) == ["id", "prompt", "response", "source", "sha256"]


def test_what_is_not_there_is_named(tmp_path):
    write(tmp_path / "o.jsonl", [{"id": n, "prompt": "q", "response": "#### 1"} for n in range(3)])
    with pytest.raises(UserError, match="holds only 3 responses that hold the answer key"):
        pick_demonstrations(GSM8K, tmp_path / "o.jsonl")
    with pytest.raises(UserError, match="no row of id 7, x"):
        named_demonstrations(tmp_path / "o.jsonl", ["1", "7", "x"])
    with pytest.raises(UserError, match="w2s-factory score"):
        pick_demonstrations(GSM8K, tmp_path / "o.jsonl", correct_only=True)


def test_an_id_named_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match='field "ids": expected different ids, got 1, 3 more than once'):
        named_demonstrations(tmp_path / "none.json", ["1", "2", "1", "3", "3"])


def responses(*ids):
    return [{"id": name, "prompt": f"q{n}", "response": "#### 1"} for n, name in enumerate(ids)]


@pytest.mark.parametrize(
    "pick",
    [
        lambda source: pick_demonstrations(GSM8K, source, count=1),
        lambda source: named_demonstrations(source, ["2"]),
    ],
)
def test_two_rows_with_the_same_id_are_refused(tmp_path, pick):
    write(tmp_path / "o.jsonl", responses(1, 2, 1))
    with pytest.raises(UserError, match=r'o\.jsonl:3: field "id": expected different ids, got 1 again'):
        pick(tmp_path / "o.jsonl")


def test_a_name_that_fits_two_rows_is_refused(tmp_path):
    write(tmp_path / "o.jsonl", responses(0, "0", 1))
    for names, question in (["0"], None), (["1"], "0"):
        with pytest.raises(UserError, match="holds two rows of id 0: one id is a number"):
            named_demonstrations(tmp_path / "o.jsonl", names, question=question)
    assert [one["id"] for one in named_demonstrations(tmp_path / "o.jsonl", ["1"])] == [1]


@pytest.mark.parametrize("names", [[], ["", "", ""], ["1", " "]])
def test_empty_names_are_refused(tmp_path, names):
    write(tmp_path / "o.jsonl", responses(1))
    with pytest.raises(UserError, match=r'field "ids": expected ids, got (none|an empty one)'):
        named_demonstrations(tmp_path / "o.jsonl", names)


THOUGHTS = [
    {"id": 0, "prompt": "a", "response": "<think>\n#### 9\n</think>\n\nIt is \\boxed{1}", "system": "Think."},
    {"id": 1, "prompt": "b", "response": "so #### 9\n</think>\n#### 2", "prompt_opens_thinking": True},
    {"id": 2, "prompt": "c", "response": "<think>it may be #### 9"},
    {"id": 3, "prompt": "d", "response": "", "error": "too long"},
    {"id": 4, "prompt": "e", "response": "#### 9 [T] #### 9 [/T] or so"},
]


def test_demonstrations_show_answers_without_the_thinking():
    shown = named_demonstrations(THOUGHTS, [0, 1])
    assert [row["response"] for row in shown] == ["It is \\boxed{1}", "#### 2"]
    assert [row.get("system") for row in shown] == ["Think.", None]
    whole = named_demonstrations(THOUGHTS, [0, 1], show="whole")
    assert [row["response"] for row in whole] == [
        THOUGHTS[0]["response"],
        "<think>\nso #### 9\n</think>\n#### 2",
    ]


def test_only_answers_count_in_a_draw():
    assert ids(pick_demonstrations(GSM8K, THOUGHTS[:4], count=1)) == [1]
    with pytest.raises(
        UserError, match=r'holds only 1 .* answer key "####", not 2. Ask for fewer with --count'
    ):
        pick_demonstrations(GSM8K, THOUGHTS[:4], count=2)
    assert set(ids(pick_demonstrations(GSM8K, THOUGHTS[:4], count=2, extract="auto"))) == {0, 1}
    with pytest.raises(UserError, match=r"holds only 1 responses with an answer \(--extract boxed\), not 2"):
        pick_demonstrations(GSM8K, THOUGHTS[:4], count=2, extract="boxed")
    own = Markers("[T]", "[/T]")
    with pytest.raises(UserError, match=r"holds only 0 responses .*, not 1. Check --extract, and the stop"):
        pick_demonstrations(GSM8K, THOUGHTS[4:], count=1, markers=own)
    assert ids(pick_demonstrations(GSM8K, THOUGHTS[4:], count=1)) == [4]


@pytest.mark.parametrize("show", ["answer", "whole"])
@pytest.mark.parametrize("row", [2, 3])
def test_a_response_without_an_answer_is_no_demonstration(row, show):
    with pytest.raises(UserError, match=f"has no answer of id {row}"):
        named_demonstrations(THOUGHTS, [row], show=show)


def test_the_part_shown_is_one_of_two():
    with pytest.raises(UserError, match="expected whole or answer, got 'all'"):
        named_demonstrations(THOUGHTS, [0], show="all")
