from __future__ import annotations

import pytest

from w2s_factory import UserError
from w2s_factory.llamafactory.dataset_info import Location, place


def test_folder(tmp_path):
    expected = Location(tmp_path / "a.json", "a.json", (tmp_path / "dataset_info.json",), tmp_path)
    assert place("folder", tmp_path, "gsm8k", "a.json") == expected


def test_release(tmp_path):
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
