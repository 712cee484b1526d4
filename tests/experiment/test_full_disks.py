"""A run on a disk that takes no more, or nothing: exit code 2, and the file."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest
import yaml

from tests.experiment.conftest import SMALL
from w2s_factory.errors import UserError
from w2s_factory.experiment import run
from w2s_factory.experiment.run import carry_out
from w2s_factory.experiment.run_folder import held, prepare, unwritable
from w2s_factory.experiment.workflow import snakemake_command

FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    ("line", "file"),
    [
        (f"Error: seed0/a.jsonl: cannot be written ({FULL})", "seed0/a.jsonl"),
        (f"OSError: [Errno 28] {FULL}: '/else/where'", "/else/where"),
        (f"OSError: [Errno 28] {FULL}: 'saves/a.safetensors'", "saves/a.safetensors"),
        (f"SafetensorError: Error while serializing: I/O error: {FULL} (os error 28)", ""),
        (f"bash: line 1: logs/seed0/a.log: {os.strerror(errno.EROFS)}", ""),
        ("Error: seed0/a.jsonl: no such file", None),
        ("OSError: [Errno 2] No such file or directory: 'a'", None),
    ],
)
def test_what_a_log_says_of_the_disk(line, file, tmp_path):
    found = unwritable(["before", line, "after"], tmp_path)
    if file is None:
        assert found is None
    else:
        assert (found.exit_code, found.file) == (2, tmp_path / file)
        assert "Free some space" in str(found)


def carried_out(plan, folder):
    carry_out(plan, folder, snakemake_command(plan, folder, jobs=1, executor=None, arguments=()), tell=print)


def test_a_step_the_disk_refused_is_the_users_to_fix(tmp_path, of_shell, capsys):
    plan = of_shell({"a": ([], ["a.txt"], f"echo 'Error: a.txt: cannot be written ({FULL})' && false")})
    with pytest.raises(UserError, match=rf"run/a\.txt: cannot be written \({FULL}\)"):
        carried_out(plan, tmp_path / "run")
    assert "seed0/a failed; the end of" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["logs", ".run.lock", "plan.json", "scripts"])
def test_what_is_in_the_way_of_the_runs_own_files_is_named(name, tmp_path, of_shell):
    plan = of_shell({"a": ([], ["a.txt"], "echo 1 > a.txt")})
    path = tmp_path / "run" / name
    path.parent.mkdir()
    path.mkdir() if "." in name else path.write_text("")
    with pytest.raises(UserError, match=name) as wrong:
        carried_out(plan, tmp_path / "run")
    assert wrong.value.exit_code == 2


@pytest.mark.slow
def test_a_log_that_takes_no_more_ends_the_run(tmp_path, of_shell, monkeypatch):
    """The run's own log is a link to a device that is always full."""
    monkeypatch.setattr(run, "LOG", "full/snakemake.log")
    (tmp_path / "run/full").mkdir(parents=True)
    (tmp_path / "run/full/snakemake.log").symlink_to("/dev/full")
    plan = of_shell({"a": ([], ["a.txt"], "sleep 60; echo 1 > a.txt")})
    with pytest.raises(UserError, match=rf"snakemake\.log: cannot be written \({FULL}\)"):
        carried_out(plan, tmp_path / "run")


def test_a_folder_that_is_a_loop_of_links(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with (
        pytest.raises(UserError, match=r"Too many levels of symbolic links|File exists"),
        held(tmp_path / "loop"),
    ):
        pass


@pytest.mark.parametrize("size", [16, 96])
def test_a_run_on_a_full_disk(size, tmp_path, of_shell):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root on Linux may mount a small file system")
    try:
        plan = of_shell({"a": ([], ["a.txt"], "head -c 200000 /dev/zero > a.txt")})
        with pytest.raises(UserError, match=FULL) as wrong:
            carried_out(plan, folder / "run")
        assert str(folder) in str(wrong.value.file)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_the_copy_in_the_runs_folder_may_be_run_and_is_not_changed(tmp_path, planned):
    plan, folder = planned(), tmp_path / "run"
    prepare(plan, folder)
    copy = folder / "experiment.yaml"
    prepare(plan, folder, copy)
    copy.write_text("# mine\n" + copy.read_text())
    with pytest.raises(UserError, match=r"is the run.s own copy"):
        prepare(plan, folder, copy)
    assert copy.read_text().startswith("# mine")


def test_the_experiment_file_is_not_overwritten_through_a_link(tmp_path, planned):
    file, folder = tmp_path / "mine.yaml", tmp_path / "run"
    file.write_text(yaml.safe_dump(SMALL))
    prepare(planned(), folder)
    (folder / "contents.json").unlink()
    (folder / "contents.json").symlink_to(file)
    with pytest.raises(UserError, match="is read by this command"):
        prepare(planned(), folder, file)
    assert yaml.safe_load(file.read_text()) == SMALL
