"""The targets that make an environment: what they install, their progress on a terminal, and their calm in a pipe."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PYTHON = """#!/bin/sh
case "$*" in
  "-m venv --clear .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp "$0" .venv/bin/w2s-factory;;
  "-m pip --version") test -d .venv;;
  "-m pip install "*) echo "$*" >> installed;;
esac
"""
"""An interpreter that notes what it is to install."""


@pytest.fixture
def make(tmp_path):
    """Run make in a folder with a clone's Makefile; what pip was called with."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run(*words: str, terminal: bool = False) -> list[str]:
        command = ["make", f"PYTHON={python}", *words]
        if terminal:
            here, there = pty.openpty()
            subprocess.run(command, cwd=tmp_path, check=True, stdin=there, stdout=there, stderr=there)
            os.close(there)
            os.close(here)
        else:
            subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        noted = tmp_path / "installed"
        lines = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return lines

    return run


CALM = "-m pip install --disable-pip-version-check -c constraints.txt --quiet --progress-bar off -e "
SHOWN = "-m pip install --disable-pip-version-check -c constraints.txt -e "


def test_the_light_environment_comes_without_extras(make, tmp_path):
    assert make("setup-light") == [f"{CALM}."]
    assert make("setup-light") == []
    assert (tmp_path / ".venv/.light").exists()
    assert not (tmp_path / ".venv/.ready").exists()


def test_the_whole_one_is_added_to_it_and_stands_for_it(make):
    make("setup-light")
    assert make("setup") == [f"{CALM}.[dev,train]"]
    assert make("setup") == make("setup-light") == []


def test_what_the_constraints_change_is_installed_again(make, tmp_path):
    make("setup-light")
    later = (tmp_path / ".venv/.light").stat().st_mtime + 10
    os.utime(tmp_path / "constraints.txt", (later, later))
    assert make("setup-light") == [f"{CALM}."]


@pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals differ")
def test_pip_shows_its_progress_on_a_terminal(make):
    assert make("setup-light", terminal=True) == [f"{SHOWN}."]
    assert make("setup", terminal=True) == [f"{SHOWN}.[dev,train]"]


def test_each_environment_refuses_an_old_python_in_one_line(make, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    for target in ("setup-light", ".venv-docs/.ready"):
        with pytest.raises(subprocess.CalledProcessError) as failed:
            make(target)
        assert b"is older than 3.11; name a newer one" in failed.value.stderr, target


def test_the_site_s_warnings_reach_strict():
    """MkDocs counts no warning with --quiet, so that --strict would never fail."""
    [line] = [line for line in (ROOT / "Makefile").read_text().splitlines() if "mkdocs build" in line]
    assert line.split()[1:] == ["build", "--strict"]
