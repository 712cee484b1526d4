"""The folder and the stand-ins with which every try begins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

for folder in ("generating", "experiment"):  # the echo engine, a made run
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))


@pytest.fixture(scope="session")
def plugins(tmp_path_factory):
    """An installed package that offers the engine `echo`."""
    folder = tmp_path_factory.mktemp("plugins")
    info = folder / "echo_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[w2s_factory.engines]\necho = echo_engine:ChattingEcho\n")
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def template(plugins, tmp_path_factory):
    """A folder with every input, as each try finds it."""
    from inputs import make_inputs

    folder = tmp_path_factory.mktemp("template")
    make_inputs(folder)
    return folder


@pytest.fixture
def stood_in(monkeypatch):
    """Slow programs are stood in for; nothing outside the try can be reached."""
    from stand_ins import stand_in

    for name in ("W2S_DEBUG", "W2S_RELEASE", "PYTHONSAFEPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MPLBACKEND", "agg")
    stand_in(monkeypatch)
