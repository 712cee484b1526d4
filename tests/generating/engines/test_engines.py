"""Finding an engine, and the folders models lie in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from w2s_factory.errors import UserError
from w2s_factory.generating import Model, default_engine, engine_names, engines, make_engine
from w2s_factory.generating.engines.model_folders import adapter_folder, content, model_folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that offers four engines, three of which cannot be used."""
    meta = tmp_path / "their_engines-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: their-engines\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(
        "[w2s_factory.engines]\necho = echo_engine:Echo\nbroken = no_such_module:X\n"
        "leaves = leaving_engine:X\nnumber = echo_engine:__doc__\n"
    )
    (tmp_path / "leaving_engine.py").write_text("raise SystemExit(7)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent))


def test_an_engine_of_another_package(installed):
    assert engine_names() == ["transformers", "vllm", "openai", "broken", "echo", "leaves", "number"]
    assert make_engine("echo", Model("m"), {"say": "hi"}).settings() == {"model": "m", "say": "hi"}
    with pytest.raises(UserError, match=r'engine echo has no option "sya". Did you mean "say"'):
        make_engine("echo", Model("m"), {"sya": "hi"})
    with pytest.raises(UserError, match="cannot be loaded from no_such_module:X"):
        make_engine("broken", Model("m"), {})
    with pytest.raises(UserError, match=r"cannot be loaded from leaving_engine:X \(SystemExit: 7\)"):
        make_engine("leaves", Model("m"), {})
    with pytest.raises(UserError, match="expected a class or function at echo_engine:__doc__, got "):
        make_engine("number", Model("m"), {})


def test_an_engine_nobody_offers():
    with pytest.raises(UserError, match=r'no engine "gpt". Known engines: transformers, vllm, openai'):
        make_engine("gpt", Model("m"), {})


def test_an_engine_whose_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "w2s_factory.generating.engines.openai", raising=False)
    with pytest.raises(UserError, match=r"needs the package openai, .*pip install -c \S+ .*\[openai\]"):
        make_engine("openai", Model("m"), {})


def test_an_engine_is_looked_for_without_importing_it(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"engine vllm needs the package vllm, .* the extra vllm: .*\[vllm\]"):
        engines.check_installed("vllm")
    with pytest.raises(UserError, match=r"engine transformers needs the package torch, .*\[train\]"):
        engines.check_installed("transformers")
    engines.check_installed("somebody's")  # its package is not known
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: name)
    engines.check_installed("vllm")


@pytest.mark.parametrize(
    ("gpu", "installed", "name"),
    [(False, True, "transformers"), (True, True, "vllm"), (True, False, "transformers")],
)
def test_the_default(tmp_path, monkeypatch, gpu, installed, name):
    device = tmp_path / "gpu"
    if gpu:
        device.touch()
    monkeypatch.setattr(engines, "_GPU_DEVICES", (device,))
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda _: installed or None)
    assert default_engine() == name


def test_folders(tmp_path):
    with pytest.raises(UserError, match="no such model folder"):
        model_folder(str(tmp_path / "missing"))
    with pytest.raises(UserError, match=r"no config.json"):
        model_folder(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="It is an adapter"):
        model_folder(str(tmp_path))
    assert adapter_folder(str(tmp_path)) == tmp_path
    with pytest.raises(UserError, match="no such adapter folder"):
        adapter_folder(str(tmp_path / "missing"))


def test_a_hub_name_that_cannot_be_fetched(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match='no model "owner/nothing", neither as a folder nor on the hub'):
        model_folder("owner/nothing")


def test_content_is_what_decides_the_texts(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    before = content(tmp_path)
    (tmp_path / "README.md").write_text("card")
    (tmp_path / "trainer_state.json").write_text("{}")
    assert content(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(bytes(999) + b"1")
    assert content(tmp_path) != before


def test_content_of_large_weights_is_sampled_from_end_to_end(tmp_path):
    weights = tmp_path / "model.safetensors"
    with weights.open("wb") as file:
        file.truncate(65 * 2**20)
    before = content(tmp_path)
    for place in (0, 65 * 2**20 - 1):
        with weights.open("r+b") as file:
            file.seek(place)
            file.write(b"1")
        assert content(tmp_path) != before
        with weights.open("r+b") as file:
            file.seek(place)
            file.write(b"\0")
    assert content(tmp_path) == before
