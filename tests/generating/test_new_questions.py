"""Responses that go on with questions of the model's own: found by how the run's prompts begin."""

from __future__ import annotations

import pytest

from w2s_factory.generating.new_questions import new_questions
from w2s_factory.prompts import Question
from w2s_factory.tasks import get_task

ROWS = "id,question,answer\n" + "".join(f"{n},What is {n}+1?,{n + 1}\n" for n in range(4))
GOES_ON = "The answer is 2.\n\nQuestion: What is 7*7?\nAnswer: 49"
ENDS = "Question: what of it?\nThe answer is 2."
"""The opening on the first line is the response's own."""


def line(task, responses):
    task = get_task(task)
    rows = task.own_rows("test") if task.file else [{"question": f"What is {n}+1?"} for n in range(4)]
    texts = [task.test_row(row, "")["question"] if task.file else row["question"] for row in rows]
    return new_questions(task, [Question(n, text) for n, text in enumerate(texts)], responses)


@pytest.mark.parametrize(("count", "reported"), [(0, False), (1, False), (2, True), (10, True)])
def test_a_fifth_of_the_responses_is_reported(count, reported):
    said = line("gsm8k", [GOES_ON] * count + [ENDS] * (10 - count))
    expected = f'{count} of 10 responses go on with a new "Question:". Set --stop "Question:", then --restart'
    assert said == (expected if reported else None)


@pytest.mark.parametrize(
    ("prompt", "opening"),
    [
        ("", "Question:"),
        ("prompt: 'Solve this.\n\n  ### Task: {{ question }} ###'\n", "### Task:"),
        ("prompt: 'Problem {{ id }}: {{ question }}'\n", None),
        ("prompt: 'Problem: {{ question }} ({{ id }})'\n", "Problem:"),
        ("prompt: '{{ question }} Answer:'\n", None),
    ],
)
def test_the_text_is_how_the_prompts_of_the_task_begin(tmp_path, prompt, opening):
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "own.yaml").write_text("rows: rows.csv\n" + prompt.replace("'", '"'))
    said = line(tmp_path / "own.yaml", [f"2\n{opening} next?"] * 3)
    if opening is None:
        assert said is None
    else:
        assert f'3 of 3 responses go on with a new "{opening}". Set stop: ["{opening}"] in the task' in said


def test_a_run_without_responses_has_nothing_to_report():
    assert line("gsm8k", []) is None
