from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.template import (
    MODULE,
    PTH,
    STARTUP,
    install_command,
    install_template,
    template_status,
    uninstall_template,
    with_vanilla,
)

HOOKED = "import sys; print(any(getattr(finder, 'registers_vanilla', False) for finder in sys.meta_path))"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an empty environment."""
    venv.create(tmp_path / "env", symlinks=True)
    return tmp_path / "env" / "bin" / "python"


@pytest.fixture
def site(python: Path) -> Path:
    return template_status(python).site_packages


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir() if file.is_file()
    }


def output(*command: object, **variables: str) -> str:
    return subprocess.check_output(
        list(map(str, command)), env={**os.environ, **variables}, text=True
    ).strip()


def test_installing_twice_changes_nothing_and_uninstalling_leaves_nothing(python: Path, site: Path) -> None:
    before = contents(site)
    status = install_template(python)
    assert (status.installed, status.active, status.current, status.built_in) == (True, True, True, False)
    assert not status.known  # no LLaMA-Factory in this environment
    once = contents(site)
    assert once.keys() - before.keys() == {MODULE, PTH}
    install_template(python)
    assert contents(site) == once
    assert output(python, "-c", HOOKED, PYTHONDONTWRITEBYTECODE="") == "True"  # leaves a compiled copy
    assert uninstall_template(python) == (site / PTH, site / MODULE)
    assert contents(site) == before
    assert not list(site.rglob("*vanilla*"))
    assert uninstall_template(python) == ()
    assert not template_status(python).active


def test_the_command_that_installs_is_for_the_environment_looked_at(tmp_path: Path, w2s) -> None:
    venv.create(tmp_path / "an env", symlinks=True)
    other = tmp_path / "an env" / "bin" / "python"
    printed = w2s("template", "status", "--python", other).stdout
    suggested = shlex.split(printed.partition("Next: ")[2])
    assert suggested == ["w2s-factory", "template", "install", "--python", str(other)]
    assert install_command(Path(sys.executable)) == "w2s-factory template install"


def test_a_module_of_another_version_is_seen_and_renewed(python: Path, site: Path) -> None:
    install_template(python)
    with (site / MODULE).open("a") as module:
        module.write("# older\n")
    assert not template_status(python).current
    assert install_template(python).current


def test_a_start_of_python_survives_a_lost_module(python: Path, site: Path) -> None:
    install_template(python)
    (site / MODULE).unlink()
    assert output(python, "-c", "print('started')") == "started"


def test_a_start_of_python_is_hardly_slower() -> None:
    code = f"import sys; sys.path.insert(0, {str(STARTUP)!r})\nimport time; start = time.perf_counter()\n"
    code += "import w2s_vanilla_hook; w2s_vanilla_hook.install(); print(time.perf_counter() - start)"
    assert min(float(output(sys.executable, "-c", code)) for _ in range(5)) < 0.005


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_environment_is_refused(python: Path, site: Path) -> None:
    site.chmod(0o555)
    with pytest.raises(UserError, match="cannot be written"):
        install_template(python)


def test_a_missing_site_packages_that_cannot_be_made_is_refused(python: Path, site: Path) -> None:
    site.rename(site.with_name("moved"))
    site.write_text("a file stands where the folder was")
    with pytest.raises(UserError, match="cannot be written"):
        install_template(python)


def test_what_is_not_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("not a program")
    with pytest.raises(UserError, match="cannot be run as a Python interpreter"):
        template_status(tmp_path / "python")


def test_the_command_names_its_environment(python: Path, tmp_path: Path) -> None:
    cli = tmp_path / "llamafactory-cli"
    cli.write_text(f"#!{python}\n")
    assert template_status(llamafactory_cli=cli).python == python


@pytest.mark.parametrize("existing", [None, "first", "first:second"])
def test_an_existing_sitecustomize_still_runs(existing: str | None, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sitecustomize.py").write_text(
            f"import sys\nsys.seen = [*getattr(sys, 'seen', []), ({name!r}, __name__, __file__)]\n"
        )
    folders = [str(tmp_path / name) for name in (existing or "").split(":") if name]
    environ = with_vanilla({"PYTHONPATH": os.pathsep.join(folders)}, Path(sys.executable))
    code = "import json, sys, sitecustomize; import w2s_vanilla_hook as hook\n"
    code += "print(json.dumps([hook.installed(), getattr(sys, 'seen', []), sitecustomize.__file__]))"
    installed, seen, module = json.loads(output(sys.executable, "-c", code, **environ))
    assert installed
    if existing is None:
        assert seen == []
        return
    expected = str(tmp_path / "first" / "sitecustomize.py")
    assert seen == [["first", "sitecustomize", expected]]  # what Python alone would have run, and only that
    assert module == expected


def test_the_interpreters_folder_comes_first_on_the_path() -> None:
    environ = with_vanilla({"PATH": "/usr/bin"}, Path("/env/bin/python"))
    assert environ == {"PATH": "/env/bin:/usr/bin", "PYTHONPATH": str(STARTUP)}


def test_two_copies_of_the_folder_do_not_call_each_other_forever(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in STARTUP.glob("*.py"):
        (copy / file.name).write_bytes(file.read_bytes())
    start = time.monotonic()
    assert output(sys.executable, "-c", HOOKED, PYTHONPATH=f"{STARTUP}:{copy}:{STARTUP}") == "True"
    assert time.monotonic() - start < 10
