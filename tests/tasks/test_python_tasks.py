"""Tasks from a Python file: one class or one object; and every mistake in one line."""

from __future__ import annotations

import json

import pytest

from w2s_factory import UserError, build_test, get_task, score_responses
from w2s_factory.tasks.registry import is_task_file

CLASS = """\
from w2s_factory import Task


class Capitals(Task):
    def test_row(self, raw, tag):
        return {"source": tag, "question": raw["country"], "solution": "", "answer": raw["city"], "tag": {}}

    def equal(self, answer, reference):
        return answer.casefold() == reference.casefold()
"""
OBJECT = """
from w2s_factory import Form, Split

SPLITS = {"test": Split("test.jsonl", "golds.jsonl", "TOWNS")}
TASK = Capitals(name="towns", raw_form=Form("towns", {"country": (str,), "city": (str,)}), splits=SPLITS)
"""


def task_of(tmp_path, text, name="capitals.py"):
    (tmp_path / name).write_text(text)
    return get_task(tmp_path / name)


def test_a_class(tmp_path):
    task = task_of(tmp_path, CLASS)
    assert (task.name, task.argument, task.root) == ("capitals", str(tmp_path / "capitals.py"), tmp_path)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"country": "Peru", "city": "Lima"}) + "\n")
    assert build_test(task, rows)[0]["answer"] == "Lima"
    assert [each.result for each in score_responses(task, ["lima", "Cuzco"], ["Lima", "Lima"])] == [
        True,
        False,
    ]


def test_a_comparison_in_workers(tmp_path):
    task = task_of(tmp_path, CLASS + "\n    slow_comparison = True\n".replace("    ", "    ", 1))
    assert task.slow_comparison
    assert [each.result for each in score_responses(task, ["lima", "Cuzco"], ["Lima", "Lima"])] == [
        True,
        False,
    ]


def test_an_object(tmp_path):
    task = task_of(tmp_path, CLASS + OBJECT)
    assert task.name == "towns"
    (tmp_path / "test.jsonl").write_text(json.dumps({"country": "Peru", "city": "Lima"}) + "\n")
    assert build_test(task, task.path("test.jsonl"))[0]["source"] == "TOWNS"


def test_the_hash_is_that_of_the_file(tmp_path):
    first = task_of(tmp_path, CLASS).file_sha256
    assert task_of(tmp_path, CLASS).file_sha256 == first
    assert task_of(tmp_path, CLASS + "# changed\n").file_sha256 != first


@pytest.mark.parametrize("base", ["Capitals", "Task"])
def test_a_class_that_others_are_based_on_is_not_meant(tmp_path, base):
    more = f"\n\nclass Towns({base}):\n    pass\n"
    if base == "Capitals":
        assert type(task_of(tmp_path, CLASS + more)).__name__ == "Towns"
    else:
        with pytest.raises(UserError, match=r"capitals.py: expected one subclass of .* got Capitals, Towns"):
            task_of(tmp_path, CLASS + more)


MISTAKES = [
    ("def", r"capitals.py:1: is not Python \("),
    ("x = 1\n\nprint(y)\n", r"capitals.py:3: raised NameError: name 'y' is not defined"),
    ("import sys\nsys.exit(3)\n", r"capitals.py:2: raised SystemExit: 3"),
    ("import no_such_package\n", r"capitals.py:1: raised ModuleNotFoundError"),
    ("", r"capitals.py: expected one subclass of w2s_factory.Task, or an object TASK, got none"),
    ("TASK = 3\n", r'capitals.py: field "TASK": expected a Task, got 3 \(int\)'),
    (CLASS.replace("equal", "equals"), r"capitals.py:4: Capitals.equals: tasks have no such method. Did you mean"),
    (CLASS + "TASK = Capitals(name='a')\n", r"capitals.py:10: raised TypeError: .*raw_form"),
    (CLASS + "TASK = Capitals(name='math', raw_form=None)\n", r"capitals.py:10: .*expected a Form, got None"),
    (f"{CLASS}{OBJECT}".replace('"towns", raw', '"math", raw'), r'capitals.py: field "name": the name "math" is that of'),
    (CLASS.replace("class", "from dataclasses import dataclass\n\n\n@dataclass(frozen=True, kw_only=True)\nclass")
     .replace("(Task):\n", "(Task):\n    more: int\n\n"), r"capitals.py: Capitals needs 'more', which has no default. Write TASK"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_mistakes(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as error:
        task_of(tmp_path, text)
    assert "\n" not in str(error.value)


def test_names_and_files():
    assert not any(map(is_task_file, ("gsm8k", "my.task", "")))
    assert all(map(is_task_file, ("a.yaml", "./a", "a.yml", "a.py", "../b/a.yaml")))
