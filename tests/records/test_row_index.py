"""Rows that are read again by their places are those that were read first, in whatever form the file is."""

from __future__ import annotations

import json
import os
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_factory.errors import UserError
from w2s_factory.records import (
    ANY,
    Form,
    RowIndex,
    StoredRows,
    Table,
    read_placed,
    reader,
    text_digest,
    together,
)

NAMED = Form("named rows", {"id": (int, str)})

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
rows_of_any_kind = st.lists(st.dictionaries(st.text(max_size=4), values, max_size=4), max_size=6)


def as_lines(rows, blank):
    return "".join("\n" * (number in blank) + json.dumps(row) + "\n" for number, row in enumerate(rows))


def as_list(rows, indent, escaped):
    return json.dumps(rows, indent=indent, ensure_ascii=escaped)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("rows") / "rows.json"


@settings(deadline=None)
@given(rows=rows_of_any_kind, blank=st.sets(st.integers(0, 5)), keep=st.sampled_from([None, True, False]))
def test_lines_are_read_again_in_any_order(path, rows, blank, keep):
    path.write_text(as_lines(rows, blank))
    _same_again(path, rows, keep)


@settings(deadline=None)
@given(
    rows=rows_of_any_kind,
    indent=st.sampled_from([None, 0, 4]),
    escaped=st.booleans(),
    keep=st.sampled_from([None, True, False]),
    mark=st.booleans(),
)
def test_items_of_a_list_are_read_again_in_any_order(path, rows, indent, escaped, keep, mark):
    text = as_list(rows, indent, escaped).encode("utf-8", "surrogatepass" if escaped else "replace")
    path.write_bytes(b"\xef\xbb\xbf" * mark + text)
    _same_again(path, json.loads(text.decode("utf-8")), keep)


def _same_again(path, rows, keep):
    stored = StoredRows(path, ANY, keep=keep).scanned()
    assert len(stored) == len(rows)
    assert list(stored.rows()) == list(stored) == rows
    backwards = range(len(rows) - 1, -1, -1)
    assert list(stored.rows(backwards)) == rows[::-1]
    placed = [(place.number, place.in_list) for place, _ in read_placed(path, ANY)]
    places = map(stored.place, range(len(rows)))
    assert [(place.number, place.in_list) for place in places] == placed


BROKEN = [
    b'[{"a": 1}, {"a": }]',
    b'[{"a": 1} {"a": 2}]',
    b'[{"a": 1}, {"a": 2}',
    b'[{"a": 1}, {"a": 2',
    b'[{"a": 1}, {"a": 2}]]',
    b'[{"a": 1}, {"a": 2}] {}',
    b'[{"a": 1},\n]',
    b'[{"a": 1}, "a", 7]',
    b'[{"a": 1}, {"a": "\xff"}]',
    b'[{"a": 1}, [{}]]',
    b"[7]",
    b"[",
    b"[]",
    b"[ ]",
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_list_with_a_mistake_is_refused_as_a_small_one_is(path, text, monkeypatch):
    path.write_bytes(text)
    whole = _rows_or_error(path)
    monkeypatch.setattr(reader, "_LARGE_LIST", 0)
    by_item = _rows_or_error(path)
    assert by_item[-1] == whole[-1]
    assert by_item[: len(whole)] == whole or isinstance(whole[-1], str)  # rows before the mistake may be read


def _rows_or_error(path):
    found = []
    try:
        for place, row in read_placed(path, ANY):
            found.append((place.number, row))
    except UserError as error:
        found.append(str(error))
    return found or [None]


def test_items_longer_than_what_is_read_at_once(path):
    rows = [{"text": "x" * 3_000_000}, {"text": '"{[' * 500_000, "more": [{"a": [1]}]}, {"text": ""}]
    path.write_text(json.dumps(rows, indent=4))
    _same_again(path, rows, keep=False)


def test_memory_does_not_grow_with_a_list(tmp_path):
    def most(rows):
        path = tmp_path / f"{rows}.json"
        path.write_text(json.dumps([{"id": number, "text": "x" * 4000} for number in range(rows)], indent=4))
        tracemalloc.start()
        stored = StoredRows(path, ANY, keep=False).scanned()
        assert sum(1 for _ in stored.rows()) == rows
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert most(5000) < most(1000) + 500_000


def test_rows_by_id(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('\n{"id": 2}\n\n{"id": "2"}\n')
    for source in (path, Table("rows", [{"id": 2}, {"id": "2"}])):
        index = RowIndex(source, NAMED)
        assert index.numbers == {2: 0, "2": 1}
        assert list(index.rows([1, 0, 1])) == [{"id": "2"}, {"id": 2}, {"id": "2"}]
    assert str(RowIndex(path, NAMED).place(1).error("x")) == f"{path}:4: x"
    path.write_text('\n{"id": 2}\n{"id": 3}\n{"id": 2}\n')
    with pytest.raises(UserError, match=r'rows\.jsonl:4: field "id": duplicate id 2'):
        RowIndex(path, NAMED)


def changed(path, text):
    path.write_text(text)
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("text", ['{"id": 5}\n{"id": 6}\n', "{\n", '{"id": 1}\n' * 3])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1}\n{"id": 2}\n')
    stored = StoredRows(path, NAMED).scanned()
    changed(path, text)
    with pytest.raises(UserError, match=r"rows\.jsonl: has changed while it was read"):
        list(stored.rows())
    path.write_text('{"id": 1}\n{"id": 2}\n')
    stored = StoredRows(path, NAMED).scanned()
    rows = stored.rows()
    assert next(rows) == {"id": 1}
    changed(path, text)
    with pytest.raises(UserError, match="has changed while it was read"):
        list(rows)
    path.unlink()
    with pytest.raises(UserError, match="has changed while it was read"):
        list(stored.rows())


def test_a_file_that_is_replaced_after_it_was_opened_is_refused(tmp_path, monkeypatch):
    path, other, real = tmp_path / "rows.jsonl", tmp_path / "other", reader._first_character
    path.write_text('{"id": 1}\n{"id": 2}\n')
    other.write_text('{"id": 3}\n{"id": 4}\n')

    def replaced(file):
        other.replace(path)
        return real(file)

    monkeypatch.setattr(reader, "_first_character", replaced)
    stored = StoredRows(path, NAMED).scanned()
    with pytest.raises(UserError, match="has changed while it was read"):
        list(stored.rows())


def test_items_are_worked_on_together_up_to_a_size():
    assert list(together([], len)) == []
    assert list(together(["a" * 20_000_000, "b" * 20_000_000, "c"], len)) == [
        ["a" * 20_000_000, "b" * 20_000_000],
        ["c"],
    ]


@given(st.lists(st.lists(st.text())))
def test_digests_differ_where_texts_do(lists):
    distinct = {tuple(texts) for texts in lists}
    assert len({text_digest(*texts) for texts in distinct}) == len(distinct)
