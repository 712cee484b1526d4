"""Files are written in the release's bytes, all or none, never over others unasked."""

from __future__ import annotations

import json
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import records
from w2s_factory.errors import UserError
from w2s_factory.records.outputs import _list

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(rows=st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=4))
def test_a_list_is_what_json_dumps_gives_at_indent_4(rows):
    assert "".join(_list(rows)) == json.dumps(rows, indent=4)


def test_the_bytes_of_each_kind_of_file(tmp_path):
    row = {"id": 0, "content": "é\n", "output": ["a", "b"]}
    with records.Outputs() as outputs:
        assert outputs.rows(tmp_path / "rows.jsonl", [row, row]) == 2
        assert outputs.rows(tmp_path / "rows.json", iter([row])) == 1
        outputs.index(tmp_path / "dataset_info.json", {"a": {"file_name": "b"}})
    assert (tmp_path / "rows.jsonl").read_text() == (json.dumps(row) + "\n") * 2
    assert (tmp_path / "rows.json").read_text() == json.dumps([row], indent=4)
    assert (tmp_path / "dataset_info.json").read_text() == '{\n  "a": {\n    "file_name": "b"\n  }\n}\n'


def test_nothing_is_left_behind_when_a_row_fails(tmp_path):
    def rows():
        yield {"id": 0}
        raise ValueError("the second row")

    with pytest.raises(ValueError, match="second"), records.Outputs() as outputs:
        outputs.rows(tmp_path / "first.jsonl", [{"id": 0}])
        outputs.rows(tmp_path / "second.jsonl", rows())
    assert list(tmp_path.iterdir()) == []


def test_one_refused_file_keeps_all_others_back(tmp_path):
    (tmp_path / "b.json").write_text("mine")
    with pytest.raises(UserError, match=r"b\.json: exists.*--force"), records.Outputs() as outputs:
        outputs.rows(tmp_path / "a.json", [{"id": 0}])
        outputs.rows(tmp_path / "b.json", [{"id": 0}])
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]
    assert (tmp_path / "b.json").read_text() == "mine"


def test_the_same_bytes_may_be_written_again_and_force_overwrites(tmp_path):
    path = tmp_path / "a.json"
    records.write(path, [{"id": 0}])
    before = path.stat().st_mtime_ns
    records.write(path, [{"id": 0}])
    assert path.stat().st_mtime_ns == before
    records.write(path, [{"id": 1}], force=True)
    assert json.loads(path.read_text()) == [{"id": 1}]


def test_folders_made_in_vain_are_removed(tmp_path):
    with pytest.raises(ValueError, match="no"), records.Outputs() as outputs:
        outputs.rows(tmp_path / "new/deep/a.json", [{"id": 0}])
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "there.json").write_text("old")
    (tmp_path / "link.json").symlink_to("there.json")
    records.write(tmp_path / "link.json", [], force=True)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "there.json").read_text() == "[]"


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_in_the_way_is_refused_before_anything_is_placed(tmp_path, force):
    (tmp_path / "b.json").mkdir()
    with (
        pytest.raises(UserError, match=r"b\.json: is not a regular file"),
        records.Outputs(force=force) as outputs,
    ):
        outputs.rows(tmp_path / "a.json", [])
        outputs.rows(tmp_path / "b.json", [])
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_one_file_is_not_written_twice(tmp_path):
    with pytest.raises(UserError, match="twice"), records.Outputs() as outputs:
        outputs.rows(tmp_path / "a.json", [])
        outputs.text(tmp_path / "sub/../a.json", "")
    assert not (tmp_path / "a.json").exists()


def test_files_have_the_usual_permissions(tmp_path):
    records.write(tmp_path / "a.json", [])
    (tmp_path / "plain").touch()
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        records.write(tmp_path / "file" / "a.json", [])


def test_memory_does_not_grow_with_a_jsonl_file(tmp_path):
    """A file of 64 MB passes through a process that may hold far less beyond its start."""
    program = """
import resource, sys
from w2s_factory import records
form = records.Form("rows", {"id": (int,)})
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
source, target = sys.argv[1:]
records.write(source, ({"id": i, "text": "x" * 64_000} for i in range(1000)))
before = used()
records.write(target, records.read(source, form))
print(used() - before)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "a.jsonl"), str(tmp_path / "b.json")]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 16
