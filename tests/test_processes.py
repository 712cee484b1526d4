"""Locks, families of processes and progress."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from w2s_factory.processes import kill_family, lock_at_once, locked, progress_bar, with_progress

MARK = "W2S_FACTORY_TEST_FAMILY"


def sleeper(value):
    return subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: value})


def test_a_family_is_killed_and_no_other_process():
    ours, others = sleeper("ours"), sleeper("others")
    try:
        kill_family(MARK, "ours")
        assert ours.poll() is not None
        assert others.poll() is None
    finally:
        for process in (ours, others):
            process.kill()
            process.wait()


def test_this_process_is_not_of_the_family_it_ends():
    program = f"from w2s_factory.processes import kill_family; kill_family({MARK!r}, 'ours'); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, MARK: "ours"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_a_second_lock_of_a_file_is_refused_at_once(tmp_path):
    with (tmp_path / "file").open("w") as first, (tmp_path / "file").open("w") as second:
        assert lock_at_once(first.fileno())
        assert not lock_at_once(second.fileno())
        first.close()
        assert lock_at_once(second.fileno())


def test_who_wants_a_locked_folder_waits_and_nothing_is_left_in_it(tmp_path):
    order = []

    def second():
        with locked([tmp_path]):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked([tmp_path, tmp_path]):  # a folder that is named twice is locked once
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert not list(tmp_path.iterdir())


def test_progress_is_shown_in_a_terminal_only(capsys):
    assert list(with_progress([1, 2], "files", "file")) == [1, 2]
    assert capsys.readouterr().err == ""


def test_a_bar_in_a_pipe_is_printed_when_it_is_closed(capsys):
    with progress_bar(4, 1, "responses") as bar:
        bar.update(3)
    assert "4/4" in capsys.readouterr().err
