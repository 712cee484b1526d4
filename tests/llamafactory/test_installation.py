from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.installation import (
    Installation,
    find_installation,
    installed_version,
    interpreter_of,
    named_interpreter,
)

PYTHON = Path(sys.executable)


@pytest.mark.parametrize(
    "text",
    [
        f"#!{PYTHON}\nimport x",
        f"#!{PYTHON} -I\n",
        f"#!/usr/bin/env {PYTHON}\n",
        f"#!/bin/sh\n'''exec' {PYTHON} \"$0\" \"$@\"\n' '''\n",
        f"#!/bin/sh\n'''exec' \"{PYTHON}\" \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_a_command_says_which_python_runs_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "cli").write_text(text)
    assert interpreter_of(tmp_path / "cli") == PYTHON


@pytest.mark.parametrize("text", ["", "\x7fELF", "#!/bin/bash\nexec python", "#!/no/such/python\n", "#!\n"])
def test_a_command_that_does_not_say_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "cli").write_text(text)
    with pytest.raises(UserError, match="--python PATH"):
        find_installation(tmp_path / "cli")


def test_the_command_is_missing(tmp_path: Path) -> None:
    for name in ("cli", "train_bash.py"):
        with pytest.raises(UserError, match="no such file"):
            find_installation(tmp_path / name)


def test_a_bare_name_is_looked_up_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(PYTHON.parent))
    assert named_interpreter(PYTHON.name) == Path(str(shutil.which(PYTHON.name)))
    assert named_interpreter(PYTHON.name).is_absolute()


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("0.6.2", "0.6.2"),
        ("0.9.5", "0.9.5"),
        ("0.9.6.dev0", "0.9.5"),
        ("1.2.0", "0.9.5"),
        ("0.1.0", None),
        (None, None),
    ],
)
def test_a_newer_version_is_taken_for_the_newest_known(version: str | None, known: str | None) -> None:
    traits = Installation(("cli",), PYTHON, version).traits
    assert (traits.number if traits else None) == known


def test_a_checkout_exports_with_its_own_script(tmp_path: Path) -> None:
    script = tmp_path / "train_bash.py"
    script.touch()
    installation = find_installation(script)
    assert installation.version is None
    with pytest.raises(UserError, match="no such file"):
        installation.start("export", Path("merge.yaml"))
    (tmp_path / "export_model.py").touch()
    assert installation.start("export", Path("merge.yaml")) == [
        str(PYTHON),
        str(tmp_path / "export_model.py"),
        "merge.yaml",
    ]


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
        "import sys; from w2s_factory.llamafactory.installation import installed_version; installed_version()"
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
    [("exit 3", "failed with exit code 3"), ("echo first >&2; echo broken >&2; exit 1", "broken")],
)
def test_a_python_that_fails(tmp_path, text, problem):
    with pytest.raises(UserError, match=rf"does not answer as a Python.*{problem}\)"):
        installed_version(other_python(tmp_path, text))


def test_no_such_python(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        installed_version(tmp_path / "none")
