"""The inputs of the commands, the folder in which they meet faults, and the table at the end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

for folder in ("misuse", "generating", "experiment"):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))

import campaign  # noqa: E402  found on the path just made


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
    """A folder with every input."""
    from inputs import LINES, REPORT, make_inputs, make_reported

    folder = tmp_path_factory.mktemp("template")
    make_inputs(folder)
    if REPORT not in LINES:
        make_reported(folder)
    return folder


@pytest.fixture(scope="module")
def world(template, tmp_path_factory):
    from world import World

    return World(template, tmp_path_factory.mktemp("world") / "folder")


def pytest_terminal_summary(terminalreporter):
    log = Path(campaign.LOG) if campaign.LOG else None
    if log is not None and log.exists() and "PYTEST_XDIST_WORKER" not in os.environ:
        terminalreporter.section("faults and what came of them")
        for line in campaign.table(log.read_text().splitlines()):
            terminalreporter.write_line(line)


@pytest.fixture
def stood_in(monkeypatch):
    """Slow programs are stood in for, as in the tests of misuse."""
    from stand_ins import stand_in

    for name in ("W2S_DEBUG", "W2S_RELEASE", "PYTHONSAFEPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MPLBACKEND", "agg")
    stand_in(monkeypatch)
