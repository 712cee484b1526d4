"""`fetch olympic_arena` from local folders: selection, order, forms, what is wrong with them."""

from __future__ import annotations

import json

import pytest

from w2s_factory import UserError, fetch


def row(subject, number, **others):
    return {
        "id": f"{subject}_{number}",
        "prompt": f"Hello.\n\nproblem:\nNumber {number}?",
        "subject": subject,
        "answer_type": "NV",
        "language": "EN",
        "answer": [str(number)],
    } | others


@pytest.fixture
def hub(tmp_path):
    rows = {
        "Physics/val.json": [row("Physics", 2), row("Physics", 1)],
        "Math/val-00000-of-00001.jsonl": [
            row("Math", 7),
            row("Math", 8, language="ZH"),
            row("Math", 9, answer_type="OT"),
        ],
        "Math/test.json": [row("Math", 3, answer=None), row("Math", 4, answer_type="CODE")],
        "CS/val.json": [row("CS", 1)],
        "Math/value.json": [row("Math", 70)],
    }
    for name, listed in rows.items():
        path = tmp_path / "hub" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(one) + "\n" for one in listed)
        path.write_text(lines if name.endswith("l") else json.dumps(listed))
    return tmp_path / "hub"


def written(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_release_s_selection_in_its_order(hub, tmp_path):
    fetched = fetch("olympic_arena", tmp_path / "out", origin=str(hub))
    assert list(fetched.files.values()) == [1, 1, 3, 3]
    tests = written(tmp_path / "out/data/test/olympicarena.jsonl")
    assert [test["id"] for test in tests] == ["Math_7", "Physics_2", "Physics_1"]
    assert tests[0]["question"] == "Hello.\n\nQuestion: Number 7?"
    assert tests[0]["answer"] == "7"
    assert [test["answer"] for test in written(tmp_path / "out/data/test/olympicarena_train_2.jsonl")] == [""]
    assert fetched.notes[:2] == (
        "warning: train_2 has 1 questions, the published split 6,020",
        "warning: test has 3 questions, the published split 313",
    )
    assert fetched.notes[2:4] == (
        "warning: train_2 has no question of Physics, Chemistry, Biology, Geography, Astronomy",
        "warning: test has no question of Chemistry, Biology, Geography, Astronomy",
    )
    assert fetched.notes[4].startswith("1 questions have no public answer: responses to them get no verdict")


def test_golds_that_are_null_or_blank_are_not_known(hub, tmp_path):
    answers = [[None], ["1", None], ["  "], "", " ", None, [], ["1"]]
    (hub / "Math/test.json").write_text(
        json.dumps([row("Math", n, answer=answer) for n, answer in enumerate(answers)])
    )
    fetched = fetch("olympic_arena", tmp_path / "out", origin=str(hub))
    tests = written(tmp_path / "out/data/test/olympicarena_train_2.jsonl")
    assert [test["answer"] for test in tests] == [""] * 7 + ["1"]
    assert fetched.notes[-1].startswith("7 questions")


def test_parquet(tmp_path):
    datasets = pytest.importorskip("datasets")
    (tmp_path / "hub" / "Math").mkdir(parents=True)
    made = datasets.Dataset.from_list(
        [row("Math", 1, type_sequence=["NV"]), row("Math", 2, type_sequence=None)]
    )
    made.to_parquet(tmp_path / "hub" / "Math" / "val-00000-of-00001.parquet")
    (tmp_path / "hub" / "Math" / "test.json").write_text(json.dumps([row("Math", 3)]))
    fetch("olympic_arena", tmp_path / "out", origin=str(tmp_path / "hub"))
    tests = written(tmp_path / "out/data/test/olympicarena.jsonl")
    assert [test["tag"]["type_sequence"] for test in tests] == [["NV"], None]


def test_parquet_is_read_without_progress_bars(tmp_path, w2s):
    datasets = pytest.importorskip("datasets")
    (tmp_path / "hub" / "Math").mkdir(parents=True)
    for split in ("val", "test"):
        datasets.Dataset.from_list([row("Math", 1)]).to_parquet(
            tmp_path / "hub" / "Math" / f"{split}.parquet"
        )
    printed = w2s("fetch", "olympic_arena", "--from", tmp_path / "hub", "--output-dir", "out").stderr
    assert [line.partition(" ")[0] for line in printed.splitlines()] == ["warning:"] * 4


def test_a_broken_parquet_file_is_named(hub, tmp_path):
    pytest.importorskip("datasets")
    (hub / "Physics" / "test.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(UserError, match=r"Physics/test\.parquet: cannot be read as parquet \(") as refused:
        fetch("olympic_arena", tmp_path / "out", origin=str(hub))
    assert "--from" not in str(refused.value)


@pytest.mark.parametrize("origin", ["./none", "../none", "/none/there", "~/none"])
def test_a_folder_that_is_none_is_not_looked_for_on_the_hub(origin, tmp_path):
    with pytest.raises(UserError, match=r"none.*: no such folder"):
        fetch("olympic_arena", tmp_path / "out", origin=origin)


BROKEN = [
    ("Math/val.json", '[{"id": "Math_1"}]', r'val.json: row 1: field "prompt": is missing'),
    (
        "Math/test.json",
        json.dumps([row("Math", 1)] * 2),
        r'Math/test.json: row 2: field "id": duplicate id .Math_1. in split test',
    ),
    (
        "Math/val.json",
        json.dumps([row("Math", 3), row("Math", 1, type_sequence=[1, 2])]),
        r'val.json: row 2: field "type_sequence": expected a list of texts \(Math_1\)',
    ),
    (
        "Math/val.json",
        json.dumps([row("Math", 1, answer=['${"answer": 3}'])]),
        r'val.json: row 1: field "answer": a gold answer may not begin with .* \(Math_1\)',
    ),
    (
        "Math/val.json",
        json.dumps([row("Math", 1, answer=[["1"], "2"])]),
        r'val.json: row 1: field "answer": expected texts or numbers \(Math_1\)',
    ),
    ("Math/val.json", json.dumps([row("Math", 1, answer=7)]), r'field "answer": expected a list'),
    ("Else/val.json", "[]", r"one folder for each subject \(Math, Physics"),
]


@pytest.mark.parametrize(("name", "text", "said"), BROKEN)
def test_one_line_on_what_is_wrong(name, text, said, tmp_path):
    path = tmp_path / "hub" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        fetch("olympic_arena", tmp_path / "out", origin=str(tmp_path / "hub"))
    assert not (tmp_path / "out").exists()


def test_a_split_without_questions_is_refused(hub, tmp_path):
    (hub / "Math" / "test.json").write_text("[]")
    with pytest.raises(UserError, match="split test has no"):
        fetch("olympic_arena", tmp_path / "out", origin=str(hub))
