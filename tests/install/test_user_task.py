"""A task from somebody else's installed package, found through the entry-point group."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.install

ROOT = Path(__file__).resolve().parents[2]

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "my-benchmark"
version = "1.0"

[project.entry-points."w2s_factory.tasks"]
mytask = "my_benchmark:TASK"
nottask = "my_benchmark:NOT_A_TASK"
nowhere = "my_benchmark:NOTHING"
missing = "no_such_module:TASK"
"""

MODULE = '''
"""Capitals: a task of somebody's own."""

from w2s_factory import Split, Task
from w2s_factory.records import Form


class Capitals(Task):
    def prompt(self, question):
        return f"What is the capital of {question}?"

    def test_row(self, raw, tag):
        city = raw["city"]
        return {"source": tag, "question": raw["country"], "solution": city, "answer": city, "tag": {}}

    def gold_output(self, raw):
        return f"It is {raw['city']}.\\n#### {raw['city']}"


TASK = Capitals(
    name="mytask",
    raw_form=Form("capitals", {"country": (str,), "city": (str,)}),
    splits={"train_1": Split("train_1.jsonl", "golds.jsonl", "CAPITALS")},
    answer_key="####",
)
NOT_A_TASK = {"name": "nottask"}
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the package installed, as pip does it; the shared environment stays as it is."""
    source, target = tmp_path_factory.mktemp("my-benchmark"), tmp_path_factory.mktemp("installed")
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "my_benchmark.py").write_text(MODULE)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--no-index", "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def python(installed, tmp_path):
    """Run Python in an empty folder, with the package on its path."""
    path = os.pathsep.join([str(ROOT), str(installed), os.environ.get("PYTHONPATH", "")])

    def run(*arguments, code=0):
        command = [sys.executable, *map(str, arguments)]
        env = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == code, done.stderr
        return done

    return run


def test_it_is_found_by_name(python):
    code = "from w2s_factory import *; print(get_task('mytask').prompt('Peru'), task_names())"
    printed = python("-c", code).stdout
    assert printed.startswith("What is the capital of Peru? ")
    assert printed.endswith(
        "['gsm8k', 'math', 'arithmetic', 'olympic_arena', 'missing', 'mytask', 'nottask', 'nowhere']\n"
    )


def test_gold_data_is_built_for_it(python, tmp_path):
    (tmp_path / "train_1.jsonl").write_text('{"country": "Peru", "city": "Lima"}\n')
    build = ["-m", "w2s_factory", "build-data", "--stage", "gold", "--task", "mytask"]
    python(*build, "--input", "train_1.jsonl", "--output", "capitals.json")
    assert json.loads((tmp_path / "capitals.json").read_text()) == [
        {"id": 0, "content": "What is the capital of Peru?", "output": "It is Lima.\n#### Lima"}
    ]
    assert "capitals" in json.loads((tmp_path / "dataset_info.json").read_text())


BROKEN = [
    ("nottask", 'task "nottask": my_benchmark:NOT_A_TASK is a dict, not a Task'),
    ("nowhere", 'task "nowhere" cannot be loaded from my_benchmark:NOTHING (AttributeError: '),
    ("missing", 'task "missing" cannot be loaded from no_such_module:TASK (ModuleNotFoundError: '),
    ("mytsak", 'no task "mytsak". Did you mean "mytask"?'),
]


@pytest.mark.parametrize(("name", "message"), BROKEN)
def test_a_broken_one_is_one_line(python, tmp_path, name, message):
    (tmp_path / "raw.jsonl").write_text("{}\n")
    build = ["-m", "w2s_factory", "build-data", "--stage", "gold", "--task", name, "--input", "raw.jsonl"]
    done = python(*build, "--output", "gold.json", code=2)
    assert done.stderr.startswith(f"Error: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "gold.json").exists()


def test_it_is_scored_by_its_own_rules(python, tmp_path):
    """From raw rows to a verdict: the published rules would call these units equal."""
    (tmp_path / "train_1.jsonl").write_text('{"country": "Peru", "city": "5 km"}\n')
    w2s = ["-m", "w2s_factory"]
    python(*w2s, "build-data", "--stage", "test", "--task", "mytask", "--input", "train_1.jsonl",
           "--output", "golds.jsonl")  # fmt: skip
    row = {"id": 0, "prompt": "What is the capital of Peru?", "response": "It is\n#### 5 feet"}
    (tmp_path / "output.jsonl").write_text(json.dumps(row) + "\n")
    files = ["--golds", "golds.jsonl", "--input", "output.jsonl", "--output", "results.jsonl"]
    printed = python(*w2s, "score", "--task", "mytask", *files).stdout
    assert printed.startswith("0 of 1 right")
    assert json.loads((tmp_path / "results.jsonl").read_text())["pred"] == "5 feet"
