from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.installation import (
    Installation,
    find_installation,
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
