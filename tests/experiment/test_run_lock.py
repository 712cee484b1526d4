"""The lock of a run's folder: who may take it over from whom."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os

import pytest

from w2s_factory.errors import UserError
from w2s_factory.experiment import run_lock, slurm
from w2s_factory.experiment.run_lock import LOCK, OWNER, Owner, lock_folder

US = Owner(
    host="here",
    machine="m1",
    boot="b1",
    namespace="pid:[1]",
    pid=os.getpid(),
    started=run_lock._started(os.getpid()),
    job="",
    restarts="0",
    cluster="",
    uid=os.getuid(),
)
GONE = 2**22 + 1
"""A process number that Linux does not give."""


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch):
    """Slurm's word is that our job 7 has ended, and no other."""
    ours = ("7", "c", os.getuid())
    monkeypatch.setattr(slurm, "has_ended", lambda *job: job == ours)


@pytest.mark.parametrize(
    ("owner", "locked", "ended"),
    [
        pytest.param({}, True, True, id="the system's lock has been given up"),
        pytest.param({}, False, False, id="the process lives"),
        pytest.param({"pid": GONE}, False, True, id="the process is gone"),
        pytest.param({"started": 1}, False, True, id="its number belongs to another process"),
        pytest.param({"pid": GONE, "namespace": "pid:[2]"}, False, False, id="another namespace of processes"),
        pytest.param({"host": "renamed"}, True, True, id="the machine has another name now"),
        pytest.param({"boot": "b0"}, True, True, id="the machine was started again"),
        pytest.param({"boot": "b0", "machine": ""}, True, False, id="perhaps another machine of that name"),
        pytest.param({"boot": "b0", "host": "there"}, True, False, id="a clone with another name"),
        pytest.param({"boot": "b0", "machine": "m2"}, True, False, id="another machine"),
        pytest.param({"boot": "b0", "machine": "m2", "job": "7", "cluster": "c"}, True, True, id="an ended job"),
        pytest.param({"boot": "b0", "machine": "m2", "job": "8", "cluster": "c"}, True, False, id="an active job"),
        pytest.param({"boot": "b0", "machine": "m2", "job": "7", "cluster": "c", "uid": 7}, True, False, id="another user's job"),
    ],
)  # fmt: skip
def test_when_an_owner_has_ended(owner, locked, ended):
    assert US.model_copy(update=owner).has_ended(US, locked=locked) is ended


@pytest.mark.parametrize(("restarts", "ended"), [("0", True), ("1", False)])
def test_a_job_that_slurm_started_again_takes_its_own_lock(restarts, ended):
    us = US.model_copy(update={"job": "9", "cluster": "c", "restarts": "1"})
    owner = us.model_copy(update={"boot": "b2", "machine": "m2", "restarts": restarts})
    assert owner.has_ended(us, locked=True) is ended


def left(folder, **values):
    """A record of a killed process."""
    text = run_lock._us().model_copy(update=values).model_dump_json()
    (folder / OWNER).write_text(text)
    return text


ELSEWHERE = {"host": "there", "machine": "m2", "boot": "b2"}


def test_nothing_but_the_lock_file_stays(tmp_path):
    with lock_folder(tmp_path):
        assert json.loads((tmp_path / OWNER).read_text())["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    assert (tmp_path / LOCK).read_bytes() == b""


def test_a_run_on_another_machine_is_refused_until_it_is_taken_over(tmp_path):
    text = left(tmp_path, **ELSEWHERE, pid=5)
    problem = r"another run may be active in this folder \(on there, process 5\)\. .*--take-over"
    with pytest.raises(UserError, match=problem) as refused, lock_folder(tmp_path):
        pass
    assert refused.value.exit_code == 2
    assert (tmp_path / OWNER).read_text() == text
    with lock_folder(tmp_path, take_over=True):
        pass
    with lock_folder(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"host": 1}', "\0", "{" * 10_000])
def test_a_damaged_record_proves_nothing(tmp_path, text):
    (tmp_path / OWNER).write_text(text)
    with pytest.raises(UserError, match="its record cannot be read"), lock_folder(tmp_path):
        pass
    with lock_folder(tmp_path, take_over=True):
        pass


def test_a_record_of_an_earlier_version_names_no_user(tmp_path):
    text = json.loads(left(tmp_path, pid=GONE))
    del text["uid"]
    (tmp_path / OWNER).write_text(json.dumps(text))
    with lock_folder(tmp_path):
        pass
    assert run_lock._read(json.dumps(text)).uid == -1


def test_what_a_kill_on_this_machine_leaves_is_replaced(tmp_path):
    left(tmp_path, pid=GONE)
    with lock_folder(tmp_path):
        pass
    assert not (tmp_path / OWNER).exists()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_on_a_file_system_without_locks_the_record_alone_decides(tmp_path, monkeypatch, code):
    def refuse(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(run_lock, "lock_at_once", refuse)
    left(tmp_path, pid=GONE)
    with lock_folder(tmp_path):
        with pytest.raises(UserError, match="another run may be active"), lock_folder(tmp_path):
            pass
        assert (tmp_path / OWNER).exists()
    assert not (tmp_path / OWNER).exists()


def test_without_hard_links_the_record_is_written_at_once(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with lock_folder(tmp_path):
        assert json.loads((tmp_path / OWNER).read_text())["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def _takes(folder, starts, taken):
    """Take the lock of an ended run, as one of several machines whose system's locks count for nothing."""
    run_lock.lock_at_once = lambda _: True
    run_lock._boot = lambda: f"boot {os.getpid()}"
    run_lock.platform.node = lambda: f"host {os.getpid()}"
    starts.wait()
    try:
        with lock_folder(folder):
            taken.put(os.getpid())
            starts.wait()  # hold it until all have tried
    except UserError:
        starts.wait()


def test_of_machines_that_take_over_at_the_same_moment_one_succeeds(tmp_path):
    context = multiprocessing.get_context("fork")
    for _ in range(10):
        left(tmp_path, **ELSEWHERE, job="7", cluster="c")
        starts, taken = context.Barrier(4), context.SimpleQueue()
        processes = [context.Process(target=_takes, args=(tmp_path, starts, taken)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0] * 4
        assert taken.get()
        assert taken.empty()
        assert not (tmp_path / OWNER).exists()
