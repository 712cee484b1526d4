"""The commands in README, docs and help are run; those that train or change an environment are parsed."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shlex

import pytest

from tests.conftest import ROOT
from w2s_factory.cli import COMMANDS
from w2s_factory.shipped import shipped

PARSED = {"train", "export", "template", "doctor"}
"""Run by tests of their own, in environments of their own."""


def commands_of(text: str) -> list[list[str]]:
    """Each `w2s-factory ...` line, continued lines joined, or code span of a Markdown text."""
    joined = re.sub(r"\\+\n\s*", " ", text)
    lines = re.findall(r"^\s*(w2s-factory .*)$", joined, re.M)
    spans = re.findall(r"`(w2s-factory [^`…]*)`", joined)
    return [shlex.split(line, comments=True)[1:] for line in [*lines, *spans]]


def documents() -> dict[str, str]:
    pages = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]}
    helps = {
        name: inspect.cleandoc(
            importlib.import_module(f"w2s_factory.cli.{name.replace('-', '_')}").command.help
        )
        for name in COMMANDS
    }
    del pages["design.md"]
    return pages | helps


EXAMPLES = [
    pytest.param(command, id=f"{name}: {' '.join(command)[:60]}")
    for name, text in documents().items()
    for command in commands_of(text)
    if command and command[0] in COMMANDS and len(command) > 1
]


@pytest.fixture
def sandbox(tmp_path):
    """The files the examples name, in the folder where commands are run."""
    folder = tmp_path / "cwd"
    for name in ("raw/gsm8k", "path/to", "data", "DIR", "new"):
        (folder / name).mkdir(parents=True)
    raw = {"id": "gsm8k_0", "question": "How many?", "answer": "<<1+1=2>>2.\n#### 2"}
    result = {"id": 0, "prompt": "Question: How many?\nAnswer:", "response": "2.\n#### 2"}
    result |= {"pred": "2", "gold": "2", "result": True}
    for name in ("raw/gsm8k/train_1.jsonl", "train_1.jsonl"):
        (folder / name).write_text(json.dumps(raw) + "\n")
    for name in ("results.jsonl", "weak.jsonl", "icl.jsonl"):
        (folder / name).write_text(json.dumps(result) + "\n")
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


def parsed(command: list[str]) -> None:
    module = importlib.import_module(f"w2s_factory.cli.{command[0].replace('-', '_')}")
    arguments = [part.strip("[]") for part in command[1:]]
    module.command.make_context(command[0], arguments, resilient_parsing=True)


def test_the_public_names_of_the_readme_exist():
    package = importlib.import_module("w2s_factory")
    names = set(re.findall(r"w2s\.(\w+)", (ROOT / "README.md").read_text()))
    assert names
    assert names <= set(package.__all__)
    assert all(getattr(package, name) for name in package.__all__)
