"""Tasks from files on the command line: shown, written, asked by split, and built into datasets."""

from __future__ import annotations

import json

import pytest

from tests import commands

CSV = "id,question,answer,why\n" + "".join(f"{n},What is {n}+1?,{n + 1},It is {n + 1}.\n" for n in range(10))
TASK = "rows: sums.csv\ncolumns: {solution: why}\ncompare: number\nsplits: {train_1: 0.4, train_2: 0.4, test: 0.2}\n"


@pytest.fixture
def w2s(tmp_path):
    """Runs a command in a folder with a task file, and returns what it printed."""
    (tmp_path / "sums.csv").write_text(CSV)
    (tmp_path / "sums.yaml").write_text(TASK)

    def run(*words, code=0):
        done = commands.run(*words, folder=tmp_path)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_show_task(w2s):
    shown = w2s("show-task", "./sums.yaml", "--split", "train_2")
    assert "Task sums\n  train_1: 4 rows\n  train_2: 4 rows\n  test: 2 rows\n" in shown
    assert shown.count("Row ") == 3
    assert "  prompt:\n    Question: What is " in shown
    assert "  prompt in a chat:\n    What is " in shown
    assert "The gold answer is found in 4 of 4 solutions (split train_2)." in shown
    assert shown.endswith("Next: w2s-factory build-data --stage test --task ./sums.yaml --split train_2\n")


def test_solutions_without_the_gold_answer_are_shown(w2s, tmp_path):
    (tmp_path / "sums.csv").write_text(CSV.replace("It is 5.", "It is 6."))
    (tmp_path / "sums.yaml").write_text("rows: sums.csv\ncolumns: {solution: why}\ncompare: number\n")
    assert "The gold answer is found in 9 of 10 solutions (split test)." in w2s("show-task", "sums.yaml")


def test_show_a_task_of_the_package(w2s, monkeypatch):
    monkeypatch.delenv("W2S_RELEASE", raising=False)
    assert "  train_2: " in w2s("show-task", "arithmetic")
    assert "folder that contains the files of task gsm8k must be named" in w2s("show-task", "gsm8k", code=2)


def test_a_split_is_asked_and_built_by_its_name(w2s, tmp_path):
    w2s("build-data", "--stage", "test", "--task", "./sums.yaml", "--split", "train_2")
    golds = rows_of(tmp_path / "w2s-data/sums_train_2.jsonl")
    assert [row["answer"] for row in golds] == [str(row["id"] + 1) for row in golds]
    w2s("build-data", "--stage", "gold", "--task", "./sums.yaml", "--split", "train_1", "--no-config")
    taught = json.loads((tmp_path / "w2s-data/sums_train_1.json").read_text())
    assert len(taught) == 4
    assert {row["id"] for row in taught}.isdisjoint(row["id"] for row in golds)
    assert taught[0]["output"] == f"It is {taught[0]['id'] + 1}."


def test_what_a_stage_does_not_read(w2s):
    gold = ["build-data", "--stage", "gold", "--task"]
    assert "needs --input. Or name a split of the task: --split" in w2s(*gold, "./sums.yaml", code=2)
    for source in (["gsm8k", "--input", "sums.csv"], ["./sums.yaml", "--input", "sums.csv"], ["arithmetic"]):
        assert "--split" in w2s(*gold, *source, "--split", "train_1", code=2)
    test = ["build-data", "--stage", "test", "--task", "./sums.yaml", "--split", "trian_1"]
    assert 'task sums has no split "trian_1"' in w2s(*test, code=2)


def test_init_writes_a_task_file(w2s, tmp_path):
    assert "Next: edit it, then check it with w2s-factory show-task ./new.yaml" in w2s(
        "init", "--task", "./new.yaml"
    )
    (tmp_path / "questions.csv").write_text(CSV)
    assert "train_1: 4 rows" in w2s("show-task", "./new.yaml")
    (tmp_path / "new.yaml").write_text("mine: 1\n")
    assert "new.yaml" in w2s("init", "--task", "./new.yaml", code=2)
    assert (tmp_path / "new.yaml").read_text() == "mine: 1\n"
    w2s("init", "--task", "./new.yaml", "--force")


def test_init_of_an_experiment_needs_its_file(w2s, tmp_path):
    assert 'field "--output": is needed for an experiment file' in w2s("init", "--task", "gsm8k", code=2)
    assert 'field "--output": is needed for an experiment file' in w2s("init", "--task", "./sums.py", code=2)
    (tmp_path / "inner").mkdir()
    w2s("init", "--task", "./sums.yaml", "--output", "inner/experiment.yaml")
    assert "\ntask: ../sums.yaml " in (tmp_path / "inner/experiment.yaml").read_text()


def test_nothing_is_written_where_a_row_is_wrong(w2s, tmp_path):
    (tmp_path / "sums.csv").write_text(CSV + "10,,3,\n")
    before = sorted(tmp_path.rglob("*"))
    for split in ("train_1", "train_2", "test"):
        done = commands.run(
            "build-data", "--stage", "test", "--task", "./sums.yaml", "--split", split, folder=tmp_path
        )
        if done.returncode:
            assert 'sums.csv:12: field "question": is blank' in done.stderr
            break
        for file in tmp_path.glob("w2s-data/*"):
            file.unlink()
        (tmp_path / "w2s-data").rmdir()
    else:
        pytest.fail("no split has the wrong row")
    assert sorted(tmp_path.rglob("*")) == before
