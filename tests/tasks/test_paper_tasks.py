"""What GSM8K and MATH say about themselves: prompts, test rows, gold rows."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from w2s_factory.errors import UserError
from w2s_factory.tasks import get_task, task_names

GSM8K_ROW = {
    "id": "gsm8k_0",
    "question": "How many?",
    "answer": "48/2 = <<48/2=24>>24 clips.\nIn all $<<24+48=72>>72 now.\n#### 72",
}
MATH_ROW = {
    "problem": "Find $x$.",
    "solution": "It is $\\boxed{3}$.",
    "answer": "3",
    "subject": "Algebra",
    "level": 2,
    "unique_id": "test/algebra/1.json",
}


def test_prompt():
    assert get_task("gsm8k").prompt("How many?") == "Question: How many?\nAnswer:"


def test_gsm8k_rows():
    task = get_task("gsm8k")
    assert task.test_row(GSM8K_ROW, "GSM8K") == {
        "source": "GSM8K",
        "question": "How many?",
        "solution": GSM8K_ROW["answer"],
        "answer": "72",
        "tag": {},
    }
    assert task.gold_row(7, GSM8K_ROW) == {
        "id": 7,
        "content": "Question: How many?\nAnswer:",
        "output": "48/2 = 24 clips.\nIn all $72 now.\n#### 72",
    }


def test_math_rows():
    task = get_task("math")
    assert task.test_row(MATH_ROW, "MATH")["tag"] == {
        "subject": "Algebra",
        "level": 2,
        "unique_id": "test/algebra/1.json",
    }
    assert task.gold_row(0, MATH_ROW)["output"] == "It is $\\boxed{3}$. The answer is: 3"


def test_a_gsm8k_solution_without_its_answer_is_refused():
    with pytest.raises(UserError, match=r'field "answer".*#### ANSWER'):
        get_task("gsm8k").test_row(GSM8K_ROW | {"answer": "72"}, "GSM8K")


def test_an_unknown_task_is_told_the_nearest():
    with pytest.raises(UserError, match='Did you mean "gsm8k"'):
        get_task("gsm8")
    assert {"gsm8k", "math", "arithmetic"} <= set(task_names())


@pytest.mark.parametrize(
    ("name", "meant"), [("gsm9k", 'Did you mean "gsm8k"?'), ("poetry", "Known tasks: gsm8k")]
)
def test_an_unknown_task_names_the_nearest_and_the_page_on_custom_ones(name, meant):
    with pytest.raises(UserError) as raised:
        get_task(name)
    assert meant in str(raised.value)
    assert str(raised.value).endswith("docs/tasks.md says how to add a task of your own")
    assert (ROOT / "docs/tasks.md").is_file()
