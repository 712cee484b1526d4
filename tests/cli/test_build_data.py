"""`build-data` as a user meets it."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from w2s_factory.cli.build_data import command
from w2s_factory.cli.build_data_options import READ
from w2s_factory.quantities import PairThresholds
from w2s_factory.ranges import declared
from w2s_factory.tasks import get_task

RAW = {"id": "gsm8k_0", "question": "How many?", "answer": "<<1+1=2>>2.\n#### 2"}


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "train_1.jsonl"
    path.write_text(json.dumps(RAW) + "\n")
    return path


def test_gold(tmp_path, w2s, raw):
    done = w2s("build-data", "--stage", "gold", "--task", "gsm8k", "--input", raw, "--output", "gold.json")
    assert json.loads((tmp_path / "cwd/gold.json").read_text()) == [
        {"id": 0, "content": "Question: How many?\nAnswer:", "output": "2.\n#### 2"}
    ]
    assert "1 rows, dataset gold" in done.stdout
    index = json.loads((tmp_path / "cwd/dataset_info.json").read_text())
    assert index == {
        "gold": {"file_name": "gold.json", "columns": {"prompt": "content", "response": "output"}}
    }


def test_test_rows(tmp_path, w2s, raw):
    w2s("build-data", "--stage", "test", "--task", "gsm8k", "--input", raw, "--output", "test.jsonl")
    row = json.loads((tmp_path / "cwd/test.jsonl").read_text())
    assert (row["source"], row["answer"]) == ("GSM8K_TRAIN_1", "2")


def test_entries_of_others_stay(tmp_path, w2s, raw):
    theirs = {"theirs": {"file_name": "theirs.json"}}
    (tmp_path / "cwd/dataset_info.json").write_text(json.dumps(theirs))
    w2s("build-data", "--stage", "gold", "--task", "gsm8k", "--input", raw, "--output", "gold.json")
    assert list(json.loads((tmp_path / "cwd/dataset_info.json").read_text())) == ["theirs", "gold"]


def test_with_no_inputs_the_embedded_example_is_taken_and_named(tmp_path, w2s):
    done = w2s("build-data", "--stage", "1")
    assert "embedded example" in done.stdout
    assert "simulated" in done.stdout
    folder = tmp_path / "cwd/w2s-data"
    name = get_task("arithmetic").file_stem("simulated_weak", "iter1_hybrid")
    assert {f"{name}.json", f"{name}.yaml", "dataset_info.json"} <= {path.name for path in folder.iterdir()}
    assert f"w2s-factory train w2s-data/{name}.yaml" in done.stdout
    again = w2s("build-data", "--stage", "1")
    assert again.stdout == done.stdout


def test_without_a_config_there_is_the_dataset_alone(tmp_path, w2s):
    w2s("build-data", "--stage", "1", "--no-config")
    assert not list((tmp_path / "cwd/w2s-data").glob("*.yaml"))
    assert len(list((tmp_path / "cwd/w2s-data").glob("*_iter1_*.json"))) == 3
    error = w2s("build-data", "--stage", "1", "--no-config", "--model", "a/b", code=2).stderr
    assert "--no-config" in error


@pytest.mark.parametrize("stage", ["gold", "test", "full-weak"])
def test_each_other_stage_of_the_embedded_example(w2s, stage):
    assert "Wrote w2s-data" in w2s("build-data", "--stage", stage).stdout


OUTPUT = json.dumps({"id": 0, "prompt": "p", "response": "r"}) + "\n"
INPUTS = {
    "EMPTY": "",
    "TESTED": json.dumps({"source": "GSM8K", "question": "", "solution": "", "answer": "", "tag": {}}),
    "TWICE": OUTPUT * 2,
    "LONG": json.dumps(RAW | {"answer": "2\n#### 2\nand more"}),
    "TORN": '{"id": 1\n',
    "DIGITS": '{"id": ' + "9" * 5000 + "}",
}
MISUSED = [
    (["--stage", "3"], "'3' is not one of"),
    (["--stage", "1", "--task", "gsm8k"], "stage 1 needs --weak and --icl"),
    (["--stage", "1", "--weak", "a.jsonl"], "needs --icl"),
    (["--stage", "1", "--weak", "a.jsonl", "--icl", "b.jsonl"], "--task"),
    (["--stage", "1", "--task", "gsm9k", "--weak", "a", "--icl", "b"], 'Did you mean "gsm8k"'),
    (["--stage", "gold", "--task", "gsm8k", "--input", "nothing.jsonl"], "nothing.jsonl: no such file"),
    (["--stage", "gold", "--weak", "a.jsonl"], "is not read by stage gold"),
    (["--stage", "gold", "--task", "gsm8k", "--input", "RAW", "--output", "gold.jsonl"], ".json"),
    (["--stage", "test", "--task", "gsm8k", "--input", "RAW", "--split", "train_9"], "It has train_1"),
    (["--stage", "gold", "--task", "math", "--input", "RAW"], 'field "problem": is missing'),
    (["--stage", "gold", "--task", "gsm8k", "--input", "RAW", "--dataset-name", "a,b"], "dataset"),
    (["--stage", "1", "--layout", "round"], "layout"),
    (["--stage", "1", "--dataset-name", "x"], "is not read by stage"),
    (["--stage", "1", "--output", "x.json"], "is not read by stage"),
    (["--stage", "gold", "--weak-name", "x"], "is not read by stage"),
    (["--stage", "gold", "--output", "a.json", "--output-dir", "b"], "Give one of the two"),
    (["--stage", "gold", "--task", "gsm8k", "--input", "RAW", "--set", "a=1"], "no model to train"),
    (["--stage", "gold", "--task", "gsm8k", "--input", "RAW", "--output", "dataset_info.json"], "the index"),
    (["--stage", "gold", "--task", "gsm8k", "--input", "."], "is a folder"),
    (
        [
            "--stage",
            "test",
            "--task",
            "gsm8k",
            "--input",
            "RAW",
            "--split",
            "test",
            "--output",
            "manifest.jsonl",
        ],
        "the manifest",
    ),
    (["--stage", "gold", "--task", "gsm8k", "--input", "/dev/null"], "not a regular file"),
    (["--stage", "gold", "--task", "gsm8k", "--input", "EMPTY"], "holds no GSM8K rows"),
    (["--stage", "test", "--task", "gsm8k", "--input", "EMPTY"], "holds no rows"),
    (["--stage", "test", "--task", "math", "--input", "TESTED"], "expected MATH"),
    (["--stage", "test", "--task", "gsm8k", "--input", "TESTED", "--split", "train_2"], "GSM8K_TRAIN_2"),
    (["--stage", "full-weak", "--task", "gsm8k", "--input", "TWICE"], "duplicate id"),
    (["--stage", "gold", "--task", "gsm8k", "--input", "LONG"], 'LONG.jsonl:1: field "answer"'),
    (["--stage", "gold", "--task", "gsm8k", "--input", "TORN"], "TORN.jsonl:1: broken JSON"),
    (["--stage", "full-weak", "--task", "gsm8k", "--input", "DIGITS"], "of more than 4,300 digits"),
    (["--stage", "1", "--weak-name", "../up"], "weak-name"),
    (["--stage", "gold", "--system", "Think."], "is the system prompt of a chat. Add --chat on"),
    (["--stage", "gold", "--train-on", "answer"], "is not read by stage gold, only by full-weak, 1, 2"),
    (["--stage", "full-weak", "--extract", "auto"], "is not read by stage full-weak, only by 1, 2"),
    (["--stage", "1", "--extract", "last"], 'no way to extract answers is called "last"'),
    (["--stage", "1", "--extract", "regex:("], "the pattern does not compile"),
    (["--stage", "1", "--reasoning-end", "</r>"], "--reasoning-start"),
]


@pytest.mark.parametrize(("arguments", "message"), MISUSED)
def test_misuse_is_one_line(tmp_path, w2s, raw, arguments, message):
    rows = INPUTS | {"RAW": raw.read_text()}
    for name, text in rows.items():
        (tmp_path / f"{name}.jsonl").write_text(text)
    files = {name: tmp_path / f"{name}.jsonl" for name in rows}
    done = w2s("build-data", *[files.get(argument, argument) for argument in arguments], code=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "cwd").rglob("*"))


def test_rows_of_a_chat(tmp_path, w2s):
    rows = [
        {"id": 0, "prompt": "How many?", "response": "<r>3?</r>2", "system": "Of the weak model."},
        {"id": 1, "prompt": "How many?", "response": "<r>3?", "system": "Of the weak model."},
        {"id": 2, "prompt": "How many?", "response": "", "error": "too long", "system": "Of the weak model."},
    ]
    (tmp_path / "weak.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--stage", "full-weak", "--task", "gsm8k", "--input", tmp_path / "weak.jsonl", "--no-config"]
    arguments += ["--train-on", "answer", "--reasoning-start", "<r>", "--reasoning-end", "</r>"]
    done = w2s("build-data", *arguments, "--chat", "on", "--system", "Think.", "--output", "full.json")
    assert json.loads((tmp_path / "cwd/full.json").read_text()) == [
        {"id": 0, "content": "How many?", "output": "2", "system": "Think."}
    ]
    assert "2 responses without an answer are left out: their thinking did not end, or" in done.stderr
    w2s("build-data", *arguments, "--chat", "off", "--output", "text.json")
    [row] = json.loads((tmp_path / "cwd/text.json").read_text())
    assert row == {"id": 0, "content": "Question: How many?\nAnswer:", "output": "2"}


def test_a_traceback_is_shown_only_when_asked_for(w2s):
    assert "Traceback" not in w2s("build-data", "--stage", "1", "--weak", "a", code=2).stderr
    assert "Traceback" in w2s("build-data", "--stage", "1", "--weak", "a", "--debug", code=1).stderr


def test_every_option_is_read_by_a_stage_and_every_stage_reads_options():
    assert {parameter.name for parameter in command.params} == {"stage", *set().union(*READ.values())}


@pytest.mark.parametrize("threshold", fields(PairThresholds), ids=lambda field: field.name)
def test_each_threshold_is_an_option_of_stage_2_as_declared(threshold):
    [option] = [parameter for parameter in command.params if parameter.name == threshold.name]
    assert option.opts == [f"--{threshold.name.replace('_', '-')}"]
    assert (option.default, option.help) == (threshold.default, threshold.metadata["help"])
    assert option.type.alias == declared(PairThresholds)[threshold.name]
    readers = ["2", "self"] if threshold.name == "min_confidence" else ["2"]
    assert [stage for stage in READ if threshold.name in READ[stage]] == readers
