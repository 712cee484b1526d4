"""Pairs in both forms, and their chosen side, without loss."""

from __future__ import annotations

import json

import pytest

from w2s_factory.building import Recipe, check_pairs, chosen_side, convert_pairs
from w2s_factory.errors import UserError
from w2s_factory.records import content_hash

PAIRS = [
    {"id": 3, "instruction": "Question: a\nAnswer:", "input": "", "output": ["#### 1", "#### 2"]},
    {"id": 3, "instruction": "Question: a\nAnswer:", "input": "", "output": ["#### 1", "#### é"]},
]


@pytest.fixture
def published(tmp_path):
    path = tmp_path / "published.json"
    path.write_text(json.dumps(PAIRS, indent=4))
    return path


def test_there_and_back(published, tmp_path):
    columns = convert_pairs(published, tmp_path / "columns.json", "columns")
    back = convert_pairs(columns.file, tmp_path / "back.json", "release")
    assert back.file.read_bytes() == published.read_bytes()


@pytest.mark.parametrize("form", ["release", "columns"])
def test_the_chosen_side_of_either_form(published, tmp_path, form):
    pairs = convert_pairs(published, tmp_path / "pairs.json", form)
    made = chosen_side(pairs.file, tmp_path / "chosen.json")
    row = {"id": 3, "content": "Question: a\nAnswer:", "output": "#### 1"}
    assert json.loads(made.file.read_text()) == [row, row]
    entry = json.loads(made.index.read_text())["chosen"]
    assert entry == {"file_name": "chosen.json", "columns": {"prompt": "content", "response": "output"}}


def test_an_input_is_part_of_what_is_asked(tmp_path):
    pair = {"id": 1, "instruction": "Add.", "input": "1 + 1", "output": ["2", "3"]}
    (tmp_path / "pairs.json").write_text(json.dumps([pair]))
    made = chosen_side(tmp_path / "pairs.json", tmp_path / "chosen.json")
    assert json.loads(made.file.read_text())[0]["content"] == "Add.\n1 + 1"


@pytest.mark.parametrize("form", ["columns", "release"])
def test_columns_beside_an_output_of_their_own_are_refused(tmp_path, form):
    row = {"id": 1, "instruction": "q", "input": "", "chosen": "a", "rejected": "b", "output": "mine"}
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    with pytest.raises(UserError, match=r'rows.json: row 1: field "output": expected no such key'):
        convert_pairs(tmp_path / "rows.json", tmp_path / "other.json", form)
    assert not (tmp_path / "other.json").exists()


@pytest.mark.parametrize("convert", [lambda *args, **to: convert_pairs(*args, "columns", **to), chosen_side])
def test_a_file_is_not_converted_onto_itself(published, convert):
    before = content_hash(published)
    with pytest.raises(UserError, match="is read by this command, which would overwrite it"):
        convert(published, published, recipe=Recipe(force=True))
    assert content_hash(published) == before
    assert [path.name for path in published.parent.iterdir()] == [published.name]


def test_an_empty_file_is_not_called_clean(tmp_path, published):
    (tmp_path / "pairs.json").write_text("[]")
    (tmp_path / "weak.jsonl").write_text('{"id": 3, "prompt": "p", "response": "r"}\n')
    with pytest.raises(UserError, match="holds no preference pairs"):
        check_pairs(tmp_path / "pairs.json", tmp_path / "weak.jsonl")


def test_nothing_is_made_of_what_is_no_pair(tmp_path):
    (tmp_path / "rows.json").write_text('[{"id": 1, "instruction": "q", "input": "", "output": "one"}]')
    with pytest.raises(UserError, match="output"):
        chosen_side(tmp_path / "rows.json", tmp_path / "chosen.json")
    assert not (tmp_path / "chosen.json").exists()
