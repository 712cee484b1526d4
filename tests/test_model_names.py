"""A model's name is a folder or a name on the hub."""

from __future__ import annotations

import pytest

from w2s_factory.model_names import is_missing, is_path, on_hub


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "models/there").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "path", "missing", "hub"),
    [
        ("google/gemma-2b", False, False, True),
        ("gpt2", False, False, True),
        ("models/there", True, False, False),
        ("models/gone", True, True, False),
        ("models/there/gone", True, True, False),
        ("models", False, False, False),
        ("./models/there", True, False, False),
        ("./gone", True, True, False),
        ("../gone", True, True, False),
        ("..", True, False, False),
        ("/gone", True, True, False),
        ("~/models", True, False, False),
        ("~/gone", True, True, False),
        ("a/b/c", False, False, False),
        (".hidden", False, False, False),
    ],
)
def test_names(here, name, path, missing, hub):
    assert (is_path(name), is_missing(name), on_hub(name)) == (path, missing, hub)


def test_a_name_is_seen_from_the_folder_given(here, monkeypatch):
    monkeypatch.chdir("/")
    assert is_missing("models/gone", here)
    assert not is_missing("models/there", here)
    assert not is_missing("models/gone")
