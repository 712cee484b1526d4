from __future__ import annotations

import json
import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import UserError
from w2s_factory.llamafactory.dataset_info import (
    Location,
    all_merged,
    exclusive,
    merged,
    pair_entry,
    place,
    sft_entry,
)
from w2s_factory.records import Outputs

NAMES = st.from_regex(r"[a-z0-9_.-]{1,12}", fullmatch=True)
ENTRIES = st.dictionaries(
    NAMES, st.builds(sft_entry, NAMES.filter(lambda name: set(name) != {"."})), max_size=6
)


def test_entries_are_those_of_the_release():
    assert sft_entry("data/llama_factory/gsm8k/gsm8k_train_1.json") == {
        "file_name": "data/llama_factory/gsm8k/gsm8k_train_1.json",
        "columns": {"prompt": "content", "response": "output"},
    }
    pairs = pair_entry("a.json")
    assert list(pairs) == ["file_name", "ranking", "columns"]
    assert pairs["ranking"] is True
    assert list(pairs["columns"].items()) == [
        ("prompt", "instruction"),
        ("query", "input"),
        ("response", "output"),
    ]
    assert pair_entry("a.json", "columns")["columns"] == {
        "prompt": "instruction",
        "query": "input",
        "chosen": "chosen",
        "rejected": "rejected",
    }


@pytest.mark.parametrize("file_name", ["", "/etc/a.json", "../a.json", "a/../../b.json", "a\\b.json"])
def test_files_stay_inside(tmp_path, file_name):
    with pytest.raises(UserError, match="file_name"):
        sft_entry(file_name)
    with pytest.raises(UserError, match="file_name"):
        merged(tmp_path / "dataset_info.json", {"a": {"file_name": file_name}})


@pytest.mark.parametrize("name", ["", "a,b", "a b", "a/b", "a\n"])
def test_names_that_llama_factory_would_take_apart(tmp_path, name):
    with pytest.raises(UserError, match="cannot name a dataset"):
        merged(tmp_path / "dataset_info.json", {name: sft_entry("a.json")})


@given(ENTRIES, ENTRIES)
def test_merging(tmp_path_factory, there, new):
    path = tmp_path_factory.mktemp("data") / "dataset_info.json"
    path.write_text(json.dumps(there))
    changed = [name for name in new if name in there and there[name] != new[name]]
    if changed:
        with pytest.raises(UserError, match=f'"{changed[0]}" exists already and would change'):
            merged(path, new)
    result = merged(path, new, force=True)
    assert result == there | new
    assert list(result)[: len(there)] == list(there)
    assert json.loads(path.read_text()) == there


@given(ENTRIES, ENTRIES)
def test_merging_twice_changes_nothing(tmp_path_factory, there, new):
    path = tmp_path_factory.mktemp("data") / "dataset_info.json"
    path.write_text(json.dumps(there))
    once = merged(path, new, force=True)
    path.write_text(json.dumps(once))
    assert list(merged(path, new).items()) == list(once.items())


def test_a_missing_index_is_empty(tmp_path):
    assert merged(tmp_path / "dataset_info.json", {"a": sft_entry("a.json")}) == {"a": sft_entry("a.json")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "expected an object, got a list"),
        ("{", "broken JSON"),
        ("", "broken JSON"),
        ("7", "expected an object"),
    ],
)
def test_a_broken_index(tmp_path, text, problem):
    path = tmp_path / "dataset_info.json"
    path.write_text(text)
    with pytest.raises(UserError, match=problem) as error:
        merged(path, {"a": sft_entry("a.json")}, force=True)
    assert str(path) in str(error.value)


def add(path, number):
    for entry in range(5):
        with exclusive(path), Outputs() as outputs:
            index = merged(path, {f"d{number}_{entry}": sft_entry("a.json")})
            outputs.index(path, index, replace=True)


def test_jobs_at_the_same_time_lose_no_entry(tmp_path):
    path = tmp_path / "new" / "dataset_info.json"
    jobs = [
        multiprocessing.get_context("fork").Process(target=add, args=(path, number)) for number in range(4)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert len(json.loads(path.read_text())) == 20


PUBLISHED, OURS, NEW = ({name: sft_entry(f"{name}.json")} for name in ("published", "ours", "new"))


@pytest.mark.parametrize(
    ("root", "expected"),
    [(None, PUBLISHED | NEW), (OURS, OURS | NEW), ({}, NEW)],
)
def test_the_root_s_index_starts_from_the_published_one(tmp_path, root, expected):
    paths = [tmp_path / "data.json", tmp_path / "root.json"]
    for path, index in zip(paths, (PUBLISHED, root), strict=True):
        if index is not None:
            path.write_text(json.dumps(index))
    assert all_merged(paths, NEW) == {paths[0]: PUBLISHED | NEW, paths[1]: expected}
    with pytest.raises(UserError, match="would change"):
        all_merged(paths, {"published": sft_entry("other.json")})


def test_indexes_start_empty_where_nothing_is_published(tmp_path):
    paths = [tmp_path / "data.json", tmp_path / "root.json"]
    assert all_merged(paths, NEW) == {paths[0]: NEW, paths[1]: NEW}


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda lock: lock.symlink_to(lock.with_name("elsewhere")), "a link"),
        (lambda lock: lock.mkdir(), "a folder"),
    ],
)
def test_a_lock_file_that_is_something_else_is_named(tmp_path, make, kind):
    make(tmp_path / ".dataset_info.json.lock")
    with (
        pytest.raises(
            UserError, match=rf"\.dataset_info\.json\.lock: expected a lock file, got {kind}\. Remove"
        ),
        exclusive(tmp_path / "dataset_info.json"),
    ):
        pass


def test_the_layout_folder(tmp_path):
    expected = Location(tmp_path / "a.json", "a.json", (tmp_path / "dataset_info.json",), tmp_path)
    assert place("folder", tmp_path, "gsm8k", "a.json") == expected


def test_the_layout_release(tmp_path):
    below = tmp_path / "data" / "llama_factory"
    got = place("release", tmp_path, "gsm8k", "a.json")
    assert got.file == below / "gsm8k" / "a.json"
    assert got.file_name == "data/llama_factory/gsm8k/a.json"
    assert set(got.indexes) == {below / "dataset_info.json", tmp_path / "dataset_info.json"}
    assert got.dataset_dir == tmp_path


@pytest.mark.parametrize("layout", ["folder", "release"])
def test_llama_factory_finds_the_file(tmp_path, monkeypatch, layout):
    monkeypatch.chdir(tmp_path)
    got = place(layout, "out", "math", "a.json")
    assert got.dataset_dir.is_absolute()
    assert got.dataset_dir / got.file_name == got.file
    assert got.dataset_dir / "dataset_info.json" in got.indexes


def test_no_such_layout(tmp_path):
    with pytest.raises(UserError, match=r'no layout "flat"\. Layouts: folder, release'):
        place("flat", tmp_path, "math", "a.json")


def test_the_earlier_name_of_a_form_still_works():
    with pytest.deprecated_call():
        assert pair_entry("a.json", "list") == pair_entry("a.json", "release")
