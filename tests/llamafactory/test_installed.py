from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from w2s_factory import UserError
from w2s_factory.llamafactory.installed import installed_version


def fake(folder, name, version):
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def other_python(tmp_path, text):
    """Another interpreter: a file that starts this one with another set of packages."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_here():
    try:
        expected = metadata.version("llamafactory")
    except metadata.PackageNotFoundError:
        expected = None
    assert installed_version() == expected


@pytest.mark.parametrize(
    ("packages", "version"),
    [
        ([("llmtuner", "0.6.2")], "0.6.2"),
        ([("llamafactory", "0.8.3"), ("llmtuner", "0.6.2")], "0.8.3"),
        ([], None),
    ],
)
def test_elsewhere(tmp_path, packages, version):
    for name, number in packages:
        fake(tmp_path / "site", name, number)
    (tmp_path / "site").mkdir(exist_ok=True)
    base = getattr(sys, "_base_executable", sys.executable)
    python = other_python(tmp_path, f'PYTHONPATH={tmp_path / "site"} exec {base} -S "$@"')
    assert installed_version(python) == version


def test_asking_does_not_import_it():
    script = (
        "import sys; from w2s_factory.llamafactory.installed import installed_version; installed_version()"
    )
    check = f"{script}; sys.exit(bool({{'llamafactory', 'torch', 'transformers'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize(
    "text", ["true", "echo 0.9.5", "echo", 'echo "$@"'], ids=["silent", "number", "blank", "echo"]
)
def test_what_is_no_python(tmp_path, text):
    with pytest.raises(UserError, match="does not answer as a Python"):
        installed_version(other_python(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [("exit 3", "no message"), ("echo first >&2; echo broken >&2; exit 1", "broken")],
)
def test_a_python_that_fails(tmp_path, text, problem):
    with pytest.raises(UserError, match=rf"cannot be asked for its LLaMA-Factory \({problem}\)"):
        installed_version(other_python(tmp_path, text))


def test_no_such_python(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        installed_version(tmp_path / "none")
