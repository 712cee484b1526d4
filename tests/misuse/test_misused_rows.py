"""Rows of any content go through the whole method: what one command writes, the next one reads."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latex_strategies import answers
from trial import run, tries_of

from w2s_factory.records import RESULT, SFT, read, read_pairs

TASKS = ["gsm8k", "math", "arithmetic"]
texts = st.one_of(
    st.text(st.characters(codec=None, categories=None), max_size=30),
    st.sampled_from(
        ["", " ", "####", "#### ", "####\n#### 7", "Question: x", "\ud800", "\x00", "\u2028", "</s>"]
    ),
    answers.map("The answer is: {}".format),
    answers.map("#### {}".format),
)
ids = st.one_of(st.integers(0, 50), st.text("ab_1", min_size=1, max_size=4))


@st.composite
def questions(draw):
    """The rows of a task's questions, with golds, a weak, an icl and three sampled responses each."""
    names = draw(st.lists(ids, min_size=1, max_size=5, unique=True))
    return [
        {
            "id": name,
            "question": draw(texts),
            "gold": draw(answers),
            "responses": [draw(texts) for _ in range(5)],
        }
        for name in names
    ]


class Rows:
    """A folder with the rows as files, in which commands are run."""

    def __init__(self, task, rows):
        self.folder = Path(tempfile.mkdtemp(prefix="w2s-misuse-"))
        self.task = task
        self._write("golds.jsonl", [
            {"source": "X", "question": row["question"], "solution": row["gold"], "answer": row["gold"], "tag": {}}
            for row in rows
        ])  # fmt: skip
        for side in range(5):
            prompts = [f"Question: {row['question']}\nAnswer:" for row in rows]
            outputs = [
                {"id": number, "prompt": prompt, "response": row["responses"][side]}
                for number, (row, prompt) in enumerate(zip(rows, prompts, strict=True))
            ]
            self._write(f"t1.0/seed{side}/output.jsonl", outputs)

    def _write(self, name, rows):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def __call__(self, line, code=(0,)):
        outcome = run(tuple(line.replace("TASK", self.task).split()), self.folder)
        assert outcome.code in code, (line, self.folder, outcome.err)
        return outcome


@pytest.mark.usefixtures("stood_in")
def test_rows_go_through_the_whole_method():
    @tries_of(0.05, 8)
    @given(st.sampled_from(TASKS), questions())
    def never_surprise(task, rows):
        command = Rows(task, rows)
        for side in range(5):
            folder = f"t1.0/seed{side}"
            command(f"score --task TASK --golds golds.jsonl --input {folder}/output.jsonl"
                    f" --output {folder}/results.jsonl")  # fmt: skip
        command("vote --input t1.0 --output votes.jsonl")
        results = "t1.0/seed0/results.jsonl", "t1.0/seed1/results.jsonl"
        stage1 = command("build-data --stage 1 --task TASK --weak {} --icl {} --output-dir one --no-config"
                         .format(*results), code=(0, 2))  # fmt: skip
        if stage1.code == 0:
            hybrid = list(
                read(command.folder / "one/train_TASK_weak_iter1_hybrid.json".replace("TASK", task), SFT)
            )
            agreed = [
                a["pred"] == b["pred"] != ""
                for a, b in zip(*(rows_of(command, name) for name in results), strict=True)
            ]
            assert len(hybrid) == 2 * sum(agreed)
        stage2 = command(f"build-data --stage 2 --task TASK --weak {results[0]} --votes votes.jsonl --output pairs.json"
                         " --no-config", code=(0, 2))  # fmt: skip
        if stage2.code == 0:
            list(read_pairs(command.folder / "pairs.json"))
        command("evaluate --pass-at 2 t1.0 --json")
        command("audit .", code=(0, 1))
        shutil.rmtree(command.folder)

    never_surprise()


def rows_of(command, name):
    return list(read(command.folder / name, RESULT))
