"""Fixtures for all tests: the published release, and a command run in an empty folder."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import commands

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

settings.register_profile(
    "untimed", deadline=None
)  # a busy machine is not a mistake; benchmarks measure time
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection() -> None:
    """Look for no garbage while tests are collected: there is little, and each look takes long."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage again, but not among the thousands of tests and modules that stay to the end."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def release() -> Path:
    """The root of a copy of the published release, named by W2S_RELEASE."""
    root = os.environ.get("W2S_RELEASE")
    if not root:
        pytest.skip("needs the published release: set W2S_RELEASE to its root")
    if not Path(root, "data").is_dir():
        pytest.fail(f"W2S_RELEASE={root} holds no folder data/")
    return Path(root)


@pytest.fixture
def w2s(tmp_path, monkeypatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in an empty folder, as `w2s("build-data", "--stage", "1")`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "cwd").mkdir(exist_ok=True)

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = commands.run(*arguments, folder=tmp_path / "cwd")
        assert done.returncode == code, done.stderr
        return done

    return run
