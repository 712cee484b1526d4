"""Rows are read with file and line in every error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import records
from w2s_factory.errors import UserError

RESULT = {"id": 3, "prompt": "p", "response": "r", "pred": "1", "gold": "1", "result": True}


def results(tmp_path, text: str | bytes, name: str = "results.jsonl"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(records.read(path, records.RESULT))


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in RESULT.items() if name != key}


BAD = [
    pytest.param(json.dumps(without("pred")), ':1: field "pred": is missing', id="missing"),
    pytest.param(json.dumps(RESULT | {"pred": None}), 'field "pred": expected text, got null', id="null"),
    pytest.param(json.dumps(RESULT | {"id": 1.5}), "expected a whole number or text, got a number", id="id"),
    pytest.param(json.dumps(RESULT | {"id": True}), "got true or false", id="bool is no number"),
    pytest.param(json.dumps(RESULT | {"result": 1}), "expected true or false", id="number is no bool"),
    pytest.param(json.dumps(RESULT | {"num_words": "2"}), 'field "num_words"', id="optional"),
    pytest.param(json.dumps(RESULT) + "\n{", ":2: broken JSON", id="torn line"),
    pytest.param(json.dumps(RESULT) + "\n\n[1]", ":3: expected an object (results), got a list", id="list"),
    pytest.param("7", ":1: expected an object", id="number"),
    pytest.param("[" + json.dumps(RESULT) + ", 7]", "row 2: expected an object", id="in a list"),
    pytest.param('[\n{},\n{"a": }]', ":3: broken JSON", id="broken list"),
    pytest.param(b'{"id": "\xff"}', "is not UTF-8", id="bytes"),
    pytest.param("[" * 200_000, "nested too deeply", id="deep"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_rows_are_refused_with_their_place(tmp_path, text, message):
    with pytest.raises(UserError) as caught:
        results(tmp_path, text)
    assert message in str(caught.value)
    assert "results.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_torn_line_is_counted_right(tmp_path):
    with pytest.raises(UserError, match=r"results\.jsonl:1: broken JSON"):
        results(tmp_path, '{"id":1\n')


def test_a_missing_pred_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(UserError, match="w2s-factory score"):
        results(tmp_path, json.dumps(without("pred")))


@pytest.mark.parametrize("name", ["nothing.jsonl", "folder"])
def test_unreadable_files_are_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=name):
        list(records.read(tmp_path / name, records.RESULT))


def test_a_file_is_a_list_by_its_first_character_whatever_its_name(tmp_path):
    rows = [RESULT, RESULT | {"id": "Math_3173", "note": {"kept": [1]}}]
    assert results(tmp_path, " \n" + json.dumps(rows), "results.txt") == rows
    assert results(tmp_path, "\n\n".join(map(json.dumps, rows)) + "\n\n", "results.json") == rows


def test_lone_surrogates_are_read_and_written_back(tmp_path):
    line = json.dumps(RESULT | {"response": "half \ud83d only"}) + "\n"
    rows = results(tmp_path, line)
    records.write(tmp_path / "again.jsonl", rows)
    assert (tmp_path / "again.jsonl").read_text() == line


@given(rows=st.lists(st.fixed_dictionaries({"id": st.integers(0, 9) | st.text(), "prompt": st.text()})))
def test_what_json_writes_is_read_the_same(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert list(records.read(path, records.Form("rows", {"id": (int, str), "prompt": (str,)}))) == rows


@pytest.mark.parametrize("text", ["[]", "7", "", "{"])
def test_an_object_file_must_hold_an_object(tmp_path, text):
    path = tmp_path / "dataset_info.json"
    path.write_text(text)
    with pytest.raises(UserError, match="dataset_info"):
        records.read_object(path)


MARK = "\ufeff"


@pytest.mark.parametrize("blank", ["", "\n", " \n\t"])
def test_a_byte_order_mark_at_the_beginning_means_nothing(tmp_path, blank):
    rows = [RESULT, RESULT | {"id": 1}]
    assert results(tmp_path, MARK + blank + "\n".join(map(json.dumps, rows))) == rows
    assert results(tmp_path, MARK + blank + json.dumps(rows)) == rows
    (tmp_path / "index.json").write_text(MARK + '{"a": 1}')
    assert records.read_object(tmp_path / "index.json") == {"a": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "id;prompt\n1;p\n"),
        ("rows.csv", '1,"p"\n'),
        ("rows.tsv", "id\tprompt\n"),
        ("rows.jsonl", "id,prompt,response\n1,p,r\n"),
        ("rows.jsonl", '"id","prompt","my response"\r\n'),
        ("rows.json", MARK + "id,prompt\n"),
    ],
)
def test_csv_is_called_csv(tmp_path, name, text):
    with pytest.raises(UserError, match=r"this is CSV, expected JSON rows\. Convert it: python -c"):
        results(tmp_path, text, name)


@pytest.mark.parametrize(
    "text", ["Hello, world\n", "{'id': 1, 'a': 2}\n", '{"id": 1,\n', "a b\n", '{"id": 1} {"a,b"}']
)
def test_what_is_not_csv_is_not_called_so(tmp_path, text):
    with pytest.raises(UserError, match="broken JSON"):
        results(tmp_path, text)


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63), 10**18])
def test_whole_numbers_of_64_bits_are_ids(tmp_path, number):
    assert results(tmp_path, json.dumps(RESULT | {"id": number}))[0]["id"] == number


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30, -(10**4000)])
@pytest.mark.parametrize("listed", [False, True])
def test_a_whole_number_beyond_64_bits_is_called_so(tmp_path, number, listed):
    row = RESULT | {"id": number}
    with pytest.raises(UserError, match=r'field "id": .*got a whole number beyond 64 bits.*in quotes'):
        results(tmp_path, json.dumps([row] if listed else row))


def test_other_keys_keep_a_long_whole_number_to_the_last_digit(tmp_path):
    row = RESULT | {"note": {"n": [10**30 + 1]}}
    records.write(tmp_path / "again.jsonl", results(tmp_path, json.dumps(row)))
    assert json.loads((tmp_path / "again.jsonl").read_text()) == row


def test_a_number_of_too_many_digits_to_read_is_called_so(tmp_path):
    with pytest.raises(UserError, match="has a whole number of more than 4,300 digits"):
        results(tmp_path, '{"id": ' + "7" * 5000 + "}")


@pytest.mark.parametrize("name", ["loop", "-", "x" * 300, "a\0b"])
def test_what_is_no_file_is_named(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError) as wrong:
        list(records.read(Path(name) if name == "-" else tmp_path / name, records.RESULT))
    assert wrong.value.exit_code == 2
    assert wrong.value.file


def test_a_disk_that_fails_while_reading_is_named():
    """The memory of a process can be opened, but its beginning cannot be read."""
    with pytest.raises(UserError, match=r"/proc/self/mem: cannot be read \(Input/output error\)"):
        list(records.read("/proc/self/mem", records.RESULT))
