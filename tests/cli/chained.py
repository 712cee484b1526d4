"""Commands run one after the other in one folder, each as the one before printed it."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from w2s_factory import records
from w2s_factory.cli import group
from w2s_factory.generating import Completion, engines
from w2s_factory.shipped import shipped

PARSED = ("train", "export")
"""These start LLaMA-Factory: their words are parsed, and the config they name is read."""


class Said(NamedTuple):
    """The text a command printed, and the next commands and sentences it named."""

    stdout: str
    commands: list[list[str]]
    sentences: list[str]

    def next(self, name: str) -> list[str]:
        """Return the one next command of a name."""
        [command] = [words for words in self.commands if words[0] == name]
        return command


def run(*words: object) -> Said:
    """Run a command in the working folder and read what comes next; placeholders are refused."""
    words = [str(word) for word in words]
    if words[0] in PARSED:
        return _parsed(words)
    done = CliRunner().invoke(group, words, standalone_mode=False)
    assert done.exception is None, f"{shlex.join(words)}: {done.exception}"
    lines = [line.removeprefix("Next: ") for line in done.stdout.splitlines() if line.startswith("Next: ")]
    assert not [
        line for line in lines if re.search(r"\b[A-Z]+_[A-Z]+\b|\b(MODEL|NAME|PATH|FILE)\b|\.\.\.", line)
    ]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("w2s-factory ")]
    return Said(done.stdout, commands, [line for line in lines if not line.startswith("w2s-factory ")])


def completed(sentence: str, *missing: object) -> list[str]:
    """Return the command a sentence names, with the options that it says are missing."""
    words = re.search(r"w2s-factory (.*?) and add ", sentence)[1]
    for option in missing[::2]:
        assert str(option) in sentence
    return [*shlex.split(words), *map(str, missing)]


def _parsed(words: list[str]) -> Said:
    command = importlib.import_module(f"w2s_factory.cli.{words[0]}").command
    config = command.make_context(words[0], words[1:]).params["config"]
    assert Path(config).is_file()
    return Said("", [], [])


class Solver:
    """An engine that adds: the weak model is wrong on some questions, samples differ by seed."""

    packages = ()

    def __init__(self, model, **options):
        self._name = Path(model.adapter or model.name).name

    def settings(self):
        return {"model": self._name}

    def tokens(self, prompt):
        return None

    def batches(self, requests):
        return [requests]

    def complete(self, batches, sampling):
        for request in (request for batch in batches for request in batch):
            one, other = re.findall(r"What is (\d+) \+ (\d+)\?", request.prompt)[-1]
            answer = int(one) + int(other) + self._mistake(request)
            yield Completion(request, f"{one} + {other} = {answer}\n#### {answer}", "stop", 5)

    def _mistake(self, request):
        number = int(re.findall(r"\d+", str(request.id))[-1])
        if "weak" in self._name:
            return int(number % 3 == 0)
        return 7 if request.seed == number % 10 and "plus" in self._name else 0

    def close(self):
        pass


def set_up(folder, monkeypatch) -> None:
    """Make a folder the working one: questions, raw rows, models by name, and the engine that answers."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("W2S_RELEASE", ".")
    monkeypatch.setattr(engines, "_built_in", lambda name: Solver)
    (folder / "path/to").mkdir(parents=True)
    for model in ("weak-model", "strong-model"):
        (folder / "path/to" / model).symlink_to(shipped("data", "models", "tiny_llama"))
    (folder / "path/to/m-plus").mkdir()
    (folder / "path/to/m-plus/adapter_config.json").write_text("{}")
    records.write(folder / "data/test/gsm8k_train_2.jsonl", questions(12))
    records.write(folder / "bare.jsonl", questions(12, golds=False))
    raw = [{"id": f"gsm8k_{n}", "question": f"What is {n} + 5?", "answer": f"#### {n + 5}"} for n in range(6)]
    records.write(folder / "train_1.jsonl", raw)


def questions(count: int, *, golds: bool = True, tag: str = "GSM8K_TRAIN_2") -> list[dict]:
    """Return questions in the test form, or with nothing but the question."""
    rows = []
    for number in range(count):
        row = {"source": tag, "question": f"What is {number} + 5?", "solution": f"#### {number + 5}"}
        row |= {"answer": str(number + 5), "tag": {}}
        rows.append(row if golds else {"question": row["question"]})
    return rows
