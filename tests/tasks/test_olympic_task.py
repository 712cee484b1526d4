"""OlympicArena as a task: prompts, rows, names as published."""

from __future__ import annotations

import json

import pytest

from w2s_factory import UserError, get_task, named_demonstrations
from w2s_factory.answers.judge.structured_gold import Gold
from w2s_factory.prompts import few_shot_prompt

TASK = get_task("olympic_arena")


def raw(answer, **others):
    prompt = "You are participating.\n\nproblem:\nWhat is 1+1?\n\nSolve it."
    return {
        "id": "Math_1",
        "prompt": prompt,
        "subject": "Math",
        "answer_type": "NV",
        "language": "EN",
        "answer": answer,
        **others,
    }


def test_prompt():
    row = TASK.test_row(raw(["2"]), "T")
    expected = "You are participating.\n\nQuestion: What is 1+1?\n\nSolve it.\n\nAnswer:"
    assert (row["id"], TASK.prompt(row["question"])) == ("Math_1", expected)
    shown = [{"prompt": "P", "response": " R"}]
    assert few_shot_prompt(TASK, shown, row["question"]) == "P  R\n\n\n" + expected


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        (raw(["2"]), "2"),
        (raw(["2"], type_sequence=[]), "2"),
        (raw(["2", "3"]), Gold(["2", "3"]).text()),
        (raw(["2", "A"], type_sequence=["NV", "SC"]), Gold(["2", "A"], ["NV", "SC"]).text()),
        (raw(None), ""),
        (raw([]), ""),
        (raw([None]), ""),
        (raw(["1", None]), ""),
        (raw(["  "]), ""),
        (raw([2]), "2"),
        (raw(["12"], type_sequence=["NV"]), Gold("12", ["NV"]).text()),
    ],
)
def test_golds(row, answer):
    test = TASK.test_row(row, "T")
    assert test["answer"] == answer
    assert TASK.normalise_gold(answer) == (answer or None)
    assert test["tag"]["answer_type"] == "NV"


def test_a_blank_gold_is_not_known():
    assert TASK.normalise_gold(" \n") is None


MALFORMED = [
    raw([["1"], "2"]),
    raw([True]),
    raw([{}]),
    raw(['${"answer": ["7"]}']),
    raw(["1", "2"], type_sequence=[1, 2]),
    raw(["1"], type_sequence="NV"),
]


@pytest.mark.parametrize("row", MALFORMED)
def test_a_malformed_gold_is_refused_by_the_row_s_id(row):
    with pytest.raises(UserError, match="Math_1"):
        TASK.test_row(row, "T")


def test_scores_by_the_judge_with_the_types_of_the_row():
    from w2s_factory import score_responses

    golds = [
        TASK.test_row(row, "T")["answer"]
        for row in (
            raw(["2", "A"], type_sequence=["NV", "SC"]),
            raw(["0.5"]),
            raw(None),
            raw(["12"], type_sequence=["NV"]),
            raw(["7"], type_sequence=["NV"]),
        )
    ]
    scored = score_responses(
        "olympic_arena",
        [r"\boxed{2.0, A}", r"It is $\boxed{\frac12}$.", r"\boxed{3}", r"\boxed{12.0}", r"\boxed{7.0}"],
        golds,
    )
    assert [one.result for one in scored] == [True, True, None, False, True]
    assert scored[1].pred == r"\frac{1}{2}"


def test_names():
    stem = TASK.file_stem("llama3-8b-instruct", "iter1_hybrid")
    assert stem == "train_olympic_llama3-8b-instruct_iter1_hybrid"
    assert TASK.folder == "olympicarena"
    name = "olympic_llama3-8b-instruct_iter1_weak"
    assert TASK.dataset_name(name) == "olympic_llama3_8b_instruct_iter1_weak"
    assert TASK.dataset_name(f"{name}_paired") == f"{name}_paired"


def test_responses_stay_as_they_are():
    assert TASK.written_response(" 4.\n") == " 4.\n"


def test_what_it_has_not():
    with pytest.raises(UserError, match="no gold solutions"):
        TASK.gold_output(raw(["2"]))
    with pytest.raises(UserError, match="--answer-key"):
        TASK.extract("4", "####")


def test_demonstrations_below_one_question(tmp_path, w2s):
    source = tmp_path / "weak.json"
    rows = [{"id": f"B_{n}", "content": f"P{n}", "output": f"R{n}"} for n in range(3)]
    source.write_text(json.dumps(rows))
    shown = named_demonstrations(source, ["B_2", "B_0"], question="B_0")
    assert [(one["id"], one["prompt"], one["response"]) for one in shown] == [
        ("B_2", "P0", "R2"),
        ("B_0", "P0", "R0"),
    ]
    command = (
        "demos",
        "--task",
        "olympic_arena",
        "--from",
        source,
        "--ids",
        "B_2,B_0",
        "--output",
        "demos.json",
    )
    assert w2s(*command).stderr == ""
    printed = w2s(*command, "--question", "B_0", "--force").stderr
    assert printed == "warning: the responses B_2 answer other questions than the one shown\n"


@pytest.mark.release
def test_the_published_demonstrations(release):
    source = release / "data/llama_factory/olympicarena/train_olympic_llama3-8b-instruct_iter1_weak.json"
    ids = ["Biology_1120", "Physics_971", "Math_609", "Biology_16"]
    shown = named_demonstrations(source, ids, question="Biology_16")
    assert [one["id"] for one in shown] == ids
    assert len({one["prompt"] for one in shown}) == 1
    assert len({one["response"] for one in shown}) == 4
