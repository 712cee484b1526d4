"""Each command that reads rows, given rows that are broken in every field: one line, or a finding."""

from __future__ import annotations

import copy
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from w2s_factory.cli import main
from w2s_factory.release.audit import audit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MISSING = object()
VALUES = (MISSING, None, -1, True, "", "\ud800", [], ["\ud800"], {})


def asked(number: int) -> str:
    return f"Question: How many are {number}?\nAnswer:"


def output(number: int) -> dict[str, Any]:
    return {"id": number, "prompt": asked(number), "response": f"{number} it is.\n#### {number}"}


def result(number: int) -> dict[str, Any]:
    return {**output(number), "pred": str(number), "gold": str(number), "result": True}


def gold(number: int) -> dict[str, Any]:
    row = {"source": "GSM8K_TRAIN_2", "question": f"How many are {number}?", "solution": f"#### {number}"}
    return {**row, "answer": str(number), "tag": {"level": 1}}


def raw(number: int) -> dict[str, Any]:
    return {"id": f"gsm8k_{number}", "question": f"How many are {number}?", "answer": f"#### {number}"}


def sft(number: int) -> dict[str, Any]:
    return {"id": number, "content": asked(number), "output": f"{number} it is.\n#### {number}"}


def pair(number: int) -> dict[str, Any]:
    sides = [f"{number} it is.\n#### {number}", "It is 99.\n#### 99"]
    return {"id": number, "instruction": asked(number), "input": "", "output": sides}


def vote(number: int) -> dict[str, Any]:
    right = {"response": f"{number} it is.\n#### {number}", "pred": str(number), "result": True}
    wrong = {"response": "It is 99.\n#### 99", "pred": "99", "result": False}
    row = {"id": number, "prompt": asked(number), "gold": str(number)}
    return {**row, "pos_responses": [right] * 9, "neg_responses": [wrong], "confidence": 0.9}


def demonstration(number: int) -> dict[str, Any]:
    return {**output(number), "source": "x", "sha256": "0"}


MAKERS = {
    "output.jsonl": output,
    "results.jsonl": result,
    "seed0/results.jsonl": result,
    "seed1/results.jsonl": result,
    "golds.jsonl": gold,
    "raw.jsonl": raw,
    "sft.json": sft,
    "pairs.json": pair,
    "votes.jsonl": vote,
    "demos.json": demonstration,
}
BUILD = ["build-data", "--task", "gsm8k", "--stage"]
ASK = [
    "generate",
    "--task",
    "gsm8k",
    "--model",
    "m",
    "--engine",
    "openai",
    "--dry-run",
    "--output-dir",
    "new",
]
ASK += ["--base-url", "http://127.0.0.1:9/v1", "--questions", "golds.jsonl"]
READERS = {
    "output.jsonl": [
        [*BUILD, "full-weak", "--input", "output.jsonl", "--no-config", "--output-dir", "new"],
        [
            "score",
            "--task",
            "gsm8k",
            "--golds",
            "golds.jsonl",
            "--input",
            "output.jsonl",
            "--output",
            "new/r.jsonl",
        ],
    ],
    "results.jsonl": [
        [
            *BUILD,
            "1",
            "--weak",
            "seed0/results.jsonl",
            "--icl",
            "results.jsonl",
            "--no-config",
            "--output-dir",
            "new",
        ],
        [*BUILD, "2", "--weak", "results.jsonl", "--votes", "votes.jsonl", "--output", "new/pairs.json"],
        ["evaluate", "results.jsonl"],
        ["demos", "--task", "gsm8k", "--from", "results.jsonl", "--count", "1", "--output", "new/d.json"],
    ],
    "seed1/results.jsonl": [
        ["vote", "--input", ".", "--output", "new/votes.jsonl"],
        ["evaluate", "--pass-at", "2", "."],
    ],
    "golds.jsonl": [
        [
            "score",
            "--task",
            "gsm8k",
            "--golds",
            "golds.jsonl",
            "--input",
            "output.jsonl",
            "--output",
            "new/r.jsonl",
        ],
        ["evaluate", "results.jsonl", "--golds", "golds.jsonl", "--by", "level", "--csv", "new/table.csv"],
        ASK,
    ],
    "raw.jsonl": [
        [*BUILD, "gold", "--input", "raw.jsonl", "--output-dir", "new"],
        [*BUILD, "test", "--split", "train_1", "--input", "raw.jsonl", "--output-dir", "new"],
    ],
    "sft.json": [[*BUILD, "2", "--weak", "sft.json", "--votes", "votes.jsonl", "--output", "new/pairs.json"]],
    "pairs.json": [
        ["convert-pairs", "pairs.json", "--format", "columns", "--output", "new/pairs.json"],
        ["build-data", "--stage", "2", "--check", "pairs.json", "--weak", "results.jsonl"],
    ],
    "votes.jsonl": [
        [*BUILD, "2", "--weak", "results.jsonl", "--votes", "votes.jsonl", "--output", "new/pairs.json"]
    ],
    "demos.json": [[*ASK, "--demos", "demos.json"]],
}


def text_of(name: str, rows: list[Any]) -> str:
    return json.dumps(rows) if name.endswith(".json") else "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, make in MAKERS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text_of(name, [make(number) for number in range(3)]))
    return tmp_path


def broken(row: Any) -> Iterator[Any]:
    """The row with one value at a time replaced or taken out, down to what lists and objects hold."""
    parts = row.items() if isinstance(row, dict) else enumerate(row[:1]) if isinstance(row, list) else ()
    for key, part in parts:
        for value in [*VALUES, *broken(part)]:
            changed = copy.copy(row)
            if value is not MISSING:
                changed[key] = value
            else:
                del changed[key]
            yield changed


def write_broken(folder: Path, name: str, row: Any) -> None:
    rows = [MAKERS[name](number) for number in range(3)]
    rows[1] = row
    (folder / name).write_text(text_of(name, rows))


def run(command: list[str], monkeypatch, capsys) -> str:
    """Run a command as the shell does; its errors are one line, and none of them is unexpected."""
    monkeypatch.setattr(sys, "argv", ["w2s-factory", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code in (0, 1, 2), said.err
    assert "(unexpected" not in said.err
    assert "Traceback" not in said.err
    assert said.err.count("Error: ") == (ended.value.code == 2)
    return said.err


@pytest.mark.parametrize("name", READERS)
def test_every_reader_ends_in_one_line(files, monkeypatch, capsys, name):
    for row in [None, [], *list(broken(MAKERS[name](1)))[:: 2 if name == "golds.jsonl" else 1]]:
        write_broken(files, name, row)
        for command in READERS[name]:
            again = ["--force"] if "new" in " ".join(command) and command[0] != "generate" else []
            error = run([*command, *again], monkeypatch, capsys)
            if not isinstance(row, dict):
                assert f"{name}:2: " in error or f"{name}: row 2: " in error


@pytest.mark.parametrize(
    "name", ["results.jsonl", "sft.json", "pairs.json", "votes.jsonl", "golds.jsonl", "demos.json"]
)
def test_an_audit_reports_every_malformed_row(files, monkeypatch, capsys, name):
    for row in [*broken(MAKERS[name](1))][:: 5 if name == "votes.jsonl" else 3]:
        write_broken(files, name, row)
        run(["audit", "."], monkeypatch, capsys)


@pytest.mark.parametrize(
    ("name", "change", "where"),
    [
        ("results.jsonl", {"response": None}, "line 2: field response: expected text, got null"),
        ("results.jsonl", {"id": []}, "line 2: field id: expected a whole number or text, got a list"),
        ("sft.json", {"output": 3}, "row 2: field output: expected text, got a whole number"),
        (
            "pairs.json",
            {"output": ["x"]},
            "row 2: field output: expected a list of two texts, [chosen, rejected]",
        ),
        ("votes.jsonl", {"pos_responses": [None]}, "line 2: field pos_responses: expected objects"),
        ("golds.jsonl", {"question": None}, "line 2: field question: expected text, got null"),
    ],
)
def test_a_malformed_row_is_a_finding_with_its_line(files, name, change, where):
    write_broken(files, name, MAKERS[name](1) | change)
    [finding] = [one for one in audit(files).faults if one.check == "malformed-rows"]
    assert finding.where == name
    assert (finding.count, finding.total) == (1, 3)
    assert finding.examples[0].startswith(where)


def test_the_other_rows_of_the_file_are_still_checked(files):
    rows = [result(0) | {"response": None}, result(1) | {"pred": "8"}, result(2)]
    (files / "results.jsonl").write_text(text_of("results.jsonl", rows))
    found = {one.check: one for one in audit(files, task="gsm8k").faults if one.where == "results.jsonl"}
    assert found["malformed-rows"].count == 1
    assert (found["wrong-verdicts"].count, found["wrong-verdicts"].total) == (1, 2)


def test_rows_are_named_by_their_place_in_the_file(files):
    rows = [gold(0) | {"question": None}, *(gold(number) for number in range(1, 60))]
    rows[30]["answer"] = "half"
    (files / "golds.jsonl").write_text(text_of("golds.jsonl", rows))
    [odd] = [one for one in audit(files, task="gsm8k").faults if one.check == "odd-golds"]
    assert odd.examples == ("row 30: half",)


@pytest.mark.parametrize("command", [["audit", "."], ["audit", ".", "--json"]])
def test_a_lone_surrogate_is_shown_as_an_escape(files, monkeypatch, capsys, command):
    write_broken(files, "sft.json", sft(1) | {"content": "\ud800"})
    monkeypatch.setattr(sys, "argv", ["w2s-factory", *command])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr()
    assert r"\ud800" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("name", "change", "where"),
    [
        ("golds.jsonl", {"question": "a \ud800"}, 'golds.jsonl:2: field "question": holds a lone surrogate'),
        (
            "demos.json",
            {"response": "a \ud800"},
            'demos.json: row 2: field "response": holds a lone surrogate',
        ),
    ],
)
def test_a_lone_surrogate_is_refused_before_a_model_is_asked(files, monkeypatch, capsys, name, change, where):
    write_broken(files, name, MAKERS[name](1) | change)
    assert where in run([*ASK, "--demos", "demos.json"], monkeypatch, capsys)


def test_a_list_that_begins_with_null_is_not_passed_over(files):
    (files / "sft.json").write_text(json.dumps([None, sft(1)]))
    assert "sft.json" in {one.where for one in audit(files).faults if one.check == "unreadable"}


def test_rows_without_ids_are_no_repeated_ids(tmp_path):
    rows = [{key: value for key, value in sft(number).items() if key != "id"} for number in range(3)]
    (tmp_path / "sft.json").write_text(json.dumps(rows))
    assert audit(tmp_path, task="gsm8k").clean
