"""Prompts, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from w2s_factory.generating import few_shot_prompt, named_demonstrations, read_questions, split_file
from w2s_factory.prompts import Question, demonstrated, prompt_of
from w2s_factory.records import write
from w2s_factory.tasks import get_task

GSM8K = get_task("gsm8k")


def demonstration(prompt, response):
    return {"id": 0, "prompt": prompt, "response": response, "source": "s", "sha256": "h"}


@pytest.mark.release
@pytest.mark.parametrize("weak", ["llama2_7b", "gemma_2b"])
def test_all_zero_shot_prompts_are_the_published_ones(release, weak):
    questions = read_questions(split_file(GSM8K, "train_2", release))
    published = json.loads(
        (release / f"data/llama_factory/gsm8k/train_gsm8k_{weak}_full_weak.json").read_text()
    )
    assert len(published) == 7000
    assert [(one.id, prompt_of(GSM8K, one, [])) for one in questions] == [
        (row["id"], row["content"]) for row in published
    ]


def test_few_shot():
    shown = [
        demonstration("Question: a\nAnswer:", "1\n#### 1"),
        demonstration("Question: b\nAnswer:", "2\n#### 2"),
    ]
    assert few_shot_prompt(GSM8K, shown, "c") == (
        "Question: a\nAnswer: 1\n#### 1\n\nQuestion: b\nAnswer: 2\n#### 2\n\nQuestion: c\nAnswer:"
    )


def test_a_task_may_end_demonstrations_otherwise():
    task = replace(GSM8K, demonstration_end="\n\n\n")
    assert few_shot_prompt(task, [demonstration("P", " R")], "c") == "P  R\n\n\nQuestion: c\nAnswer:"


@pytest.mark.release
def test_few_shot_from_the_published_demonstrations(release, tmp_path):
    source = release / "data/llama_factory/gsm8k/train_gsm8k_llama2_7b_full_weak.json"
    rows = {row["id"]: row for row in json.loads(source.read_text())}
    wanted = [2619, 456, 102, 3037]
    shown = named_demonstrations(source, [str(one) for one in wanted])
    question = read_questions(split_file(GSM8K, "train_2", release))[5]
    blocks = [rows[one]["content"] + " " + rows[one]["output"] for one in wanted]
    assert prompt_of(GSM8K, question, shown) == "\n\n".join([*blocks, rows[5]["content"]])
    assert prompt_of(GSM8K, question, shown).count("\n\n") == 4


def test_demonstrations_of_the_question_asked():
    questions = [Question(n, text) for n, text in enumerate("abc")]
    shown = [demonstration("Question: b\nAnswer:", "2"), demonstration("Question: x\nAnswer:", "9")]
    assert demonstrated(GSM8K, questions, shown) == [1]
    kept = prompt_of(GSM8K, questions[1], shown)
    dropped = prompt_of(GSM8K, questions[1], shown, exclude_own=True)
    assert kept == "Question: b\nAnswer: 2\n\nQuestion: x\nAnswer: 9\n\nQuestion: b\nAnswer:"
    assert dropped == "Question: x\nAnswer: 9\n\nQuestion: b\nAnswer:"
    assert prompt_of(GSM8K, questions[0], shown, exclude_own=True).count("Answer:") == 3


@pytest.mark.parametrize(
    ("strip", "text", "written"),
    [
        (True, " 3 + 4 = 7.\n#### 7.\n\n", "3 + 4 = 7.\n#### 7"),
        (True, "...a...", "a"),
        (True, " . ", ""),
        (True, ". a", " a"),  # the space is stripped before the full stop is, as published
        (False, " a.\n", " a.\n"),
    ],
)
def test_the_written_response(strip, text, written):
    assert replace(GSM8K, strip_response=strip).written_response(text) == written


@pytest.mark.release
def test_every_published_response_is_as_it_would_be_written(release):
    source = release / "outputs/gsm8k_train_2/zero_shot/llama2_7b_gsm8k_1/zero-shot/direct/results.jsonl"
    with source.open() as lines:
        for line in lines:
            response = json.loads(line)["response"]
            assert response == response.strip(".")


def test_questions_with_ids_of_their_own(tmp_path):
    write(tmp_path / "q.jsonl", [{"id": "Math_3", "question": "a"}, {"id": "Math_1", "question": "b"}])
    assert read_questions(tmp_path / "q.jsonl") == [Question("Math_3", "a"), Question("Math_1", "b")]
