"""Fresh environments with the built wheel: a light one, and copies of it to which extras are added."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def clean() -> dict[str, str]:
    """The environment's variables, without the way to the checkout."""
    left_out = {"PYTHONPATH", "VIRTUAL_ENV", "W2S_RELEASE"}
    return {name: value for name, value in os.environ.items() if name not in left_out}


def built(folder: Path) -> Path:
    """Build the wheel; its file."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def light_requirements(wheel: Path) -> list[str]:
    """What the wheel needs without any extra."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        headers = Parser().parsestr(archive.read(metadata).decode())
    return [needed for needed in headers.get_all("Requires-Dist", []) if "extra ==" not in needed]


def light_environment(wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel alone; its interpreter."""
    python = empty(folder)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["-c", str(ROOT / "constraints.txt")]
    fetched = subprocess.run(
        [*pip, *light_requirements(wheel)], capture_output=True, text=True, check=False, env=clean()
    )
    if fetched.returncode:
        pytest.skip(f"needs a package index: {fetched.stderr.strip().splitlines()[-1]}")
    subprocess.run([*pip, "--no-index", str(wheel)], check=True, env=clean())
    return python


def empty(folder: Path) -> Path:
    """Make an environment with pip alone; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder / "bin/python"


def copy(light: Path, folder: Path) -> Path:
    """Make an environment with the packages of the light one, whose files it shares; its interpreter.

    pip replaces files and never writes into them, so the light one stays as it is.
    """
    python = empty(folder)
    packages = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    shutil.rmtree(folder / packages)
    shutil.copytree(light.parent.parent / packages, folder / packages, copy_function=os.link)
    return python


def megabytes(folder: Path) -> float:
    """The size of a folder's files; a file of several names counts once."""
    files = {file.stat().st_ino: file.stat() for file in folder.rglob("*") if file.is_file()}
    return sum(stat.st_blocks * 512 for stat in files.values()) / 2**20
