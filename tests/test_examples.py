"""The commands in README, docs and help are run; those that train, ask a model, or change an environment are parsed."""

from __future__ import annotations

import importlib
import json
import re
import shlex

import pytest
from click.testing import CliRunner

from tests.cli.chained import run, set_up
from tests.conftest import ROOT
from w2s_factory.cli import COMMANDS, group
from w2s_factory.shipped import shipped

PARSED = {
    *("train", "export", "template", "doctor", "generate", "merge-shards", "run", "report"),
    *("fetch", "verify-release", "audit"),
}
"""Run by tests of their own, in environments of their own."""


def commands_of(text: str) -> list[list[str]]:
    """Each `w2s-factory ...` line, continued lines joined, or code span of a Markdown text."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^\s*(w2s-factory .*)$", joined, re.M)
    spans = re.findall(r"`(w2s-factory [^`…]*)`", joined)
    return [shlex.split(line, comments=True)[1:] for line in [*lines, *spans]]


def documents() -> dict[str, str]:
    pages = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]}
    helps = {name: CliRunner().invoke(group, [name, "--help"]).output for name in COMMANDS}
    del pages["design.md"]
    return pages | helps


def chain_of(text: str) -> list[list[str]]:
    """The commands of a page's shell blocks that generate, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return [command for block in blocks if "w2s-factory generate" in block for command in commands_of(block)]


CHAIN = chain_of((ROOT / "README.md").read_text())
EXAMPLES = [
    pytest.param(command, id=f"{name}: {' '.join(command)[:60]}")
    for name, text in documents().items()
    for command in commands_of(text)
    if command and command[0] in COMMANDS and len(command) > 1 and command not in CHAIN
]


PROMPT = "Question: How many?\nAnswer:"
OUTPUT = {"id": 0, "prompt": PROMPT, "response": "2.\n#### 2"}
RESULT = OUTPUT | {"pred": "2", "gold": "2", "result": True}
RAW = {"id": "gsm8k_0", "question": "How many?", "answer": "<<1+1=2>>2.\n#### 2"}
TAG = {"subject": "Algebra", "level": 2, "unique_id": "test/algebra/1.json"}
TEST = {"source": "GSM8K", "question": "How many?", "solution": "#### 2", "answer": "2", "tag": TAG}
SAMPLE = {"response": "3.\n#### 3", "pred": "3", "result": False}
VOTE = {
    "id": 0,
    "prompt": PROMPT,
    "gold": "2",
    "pos_responses": [{**SAMPLE, "pred": "2", "result": True}] * 9,
}
VOTE |= {"neg_responses": [SAMPLE], "confidence": 0.9}
PAIR = {"id": 0, "instruction": PROMPT, "input": "", "output": ["2.\n#### 2", "3.\n#### 3"]}
FILES = {
    "raw/gsm8k/train_1.jsonl": RAW,
    "train_1.jsonl": RAW,
    **dict.fromkeys(("results.jsonl", "weak.jsonl", "icl.jsonl", "weak_results.jsonl"), RESULT),
    **dict.fromkeys(("weak/results.jsonl", "strong/results.jsonl"), RESULT),
    **{f"outputs/t1.0/seed{seed}/output.jsonl": OUTPUT for seed in range(10)},
    **{f"outputs/t1.0/seed{seed}/results.jsonl": RESULT for seed in range(10)},
    **{f"outputs/test/t1.0/seed{seed}/results.jsonl": RESULT for seed in range(10)},
    "output.jsonl": OUTPUT,
    "full_weak.json": [
        {"id": number, "content": PROMPT, "output": "2.\n#### 2"} for number in (102, 456, 2619, 3037)
    ],
    "votes/majority_voting_results.jsonl": VOTE,
    "published/paired.json": PAIR,
    "data/test/gsm8k_train_2.jsonl": TEST,
    "data/test/math.jsonl": TEST,
}
"""What the examples name, each a file of one row."""


@pytest.fixture
def sandbox(tmp_path):
    """The files the examples name, in the folder where commands are run."""
    folder = tmp_path / "cwd"
    for name, row in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(row) + "\n")
    (folder / "path/to").mkdir(parents=True)
    (folder / "path/to/strong-model").symlink_to(shipped("data", "models", "tiny_llama"))
    return folder


def test_there_are_examples():
    assert len(EXAMPLES) > 15


@pytest.mark.parametrize("command", EXAMPLES)
def test_example(sandbox, w2s, command):
    if command[0] in PARSED or "--help" in command:
        parsed(command)
    else:
        w2s(*command)


def test_the_chain_of_the_readme_runs_in_one_folder(tmp_path, monkeypatch):
    set_up(tmp_path, monkeypatch)
    assert [command[0] for command in CHAIN] == [
        *("generate", "score", "demos", "generate", "score", "build-data", "train"),
        *("generate", "score", "vote", "build-data", "make-config", "evaluate"),
    ]
    for command in CHAIN:
        run(*command)
    run("train", "dpo.yaml")


def parsed(command: list[str]) -> None:
    module = importlib.import_module(f"w2s_factory.cli.{command[0].replace('-', '_')}")
    arguments = [part.strip("[]") for part in command[1:]]
    module.command.make_context(command[0], arguments, resilient_parsing=True)


def python_blocks(page: str) -> list[str]:
    """The Python code of a page of the documentation."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.M | re.S)


def test_the_tasks_of_the_documentation_work():
    [block] = python_blocks("tasks.md")
    exec(compile(block, "docs/tasks.md", "exec"), {"__name__": "documentation"})
    assert block.count("\nassert ") == 4


def test_the_public_names_of_the_readme_exist():
    package = importlib.import_module("w2s_factory")
    names = set(re.findall(r"w2s\.(\w+)", (ROOT / "README.md").read_text()))
    assert names
    assert names <= set(package.__all__)
    assert all(getattr(package, name) for name in package.__all__)
