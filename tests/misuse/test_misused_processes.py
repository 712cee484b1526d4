"""Commands as processes: odd environments and streams, two at once, signals at any time.

The default suite tries one of each kind; `make misuse` tries all, and kills at many moments.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from inputs import LINES, contents
from trial import ASKED

from tests.conftest import ROOT

QUICK = [line for line in LINES if line.code == 0 and not line.slow]
SCORE = next(line for line in QUICK if line.arguments.startswith("score") and "--output" in line.arguments)
STAGE1 = next(line for line in QUICK if "--stage 1" in line.arguments)
GENERATE = next(line for line in QUICK if "--demos" in line.arguments)
TRIED = QUICK if ASKED else [SCORE, STAGE1]

ENVIRONMENTS = {
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ASCII output": {"PYTHONIOENCODING": "ascii"},
    "Latin-1 output": {"PYTHONIOENCODING": "latin-1"},
    "Turkish locale": {"LC_ALL": "tr_TR.UTF-8"},
    "no home": {"HOME": "/nonexistent"},
    "no PATH": {"PATH": ""},
    "no temporary folder": {"TMPDIR": "/nonexistent"},
    "narrow terminal": {"COLUMNS": "1", "LINES": "1"},
    "dumb terminal": {"TERM": "dumb", "NO_COLOR": "1"},
    "forced colour": {"FORCE_COLOR": "1"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
    "warnings are errors": {"PYTHONWARNINGS": "error::UserWarning"},
    "development mode": {"PYTHONDEVMODE": "1"},
    "hash seed": {"PYTHONHASHSEED": "7"},
    "other time zone": {"TZ": "Pacific/Kiritimati"},
    "odd seeds": {"W2S_RELEASE": "/nonexistent", "OMP_NUM_THREADS": "many"},
}


@pytest.fixture
def folder(template, tmp_path):
    shutil.copytree(template / "in", tmp_path / "in", symlinks=True)
    return tmp_path


@pytest.fixture
def start(plugins):
    """Start a command in a folder."""
    paths = [str(ROOT), str(plugins), str(ROOT / "tests/generating"), os.environ.get("PYTHONPATH", "")]

    def started(words, folder, *, environment=(), **options):
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **dict(environment)}
        options = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
        } | options
        return subprocess.Popen(
            [sys.executable, "-m", "w2s_factory", *words], cwd=folder, env=environ, **options
        )

    return started


def ended(process, codes=(0,)):
    out, err = (text or b"" for text in process.communicate(timeout=120))
    assert process.returncode in codes, (process.args, process.returncode, err[-2000:])
    assert b"Traceback" not in err, err
    assert b"(unexpected" not in err, err
    assert b"Exception ignored" not in err, err
    return out, err


def written(folder):
    """Return the text a command wrote, apart from what differs from run to run."""
    return {
        name: content
        for name, content in contents(folder).items()
        if name.startswith("out") and not name.endswith((".lock", "manifest.jsonl"))
    }


@pytest.mark.parametrize("name", ENVIRONMENTS if ASKED else ["C locale"])
def test_no_environment_changes_what_is_written(start, folder, name):
    for line in TRIED:
        ended(start(line.words, folder))
        plain = written(folder)
        shutil.rmtree(folder / "out", ignore_errors=True)
        ended(start(line.words, folder, environment=ENVIRONMENTS[name].items()))
        assert written(folder).keys() == plain.keys()
        assert written(folder) == plain or line.words[0] in ("init", "make-config")
        shutil.rmtree(folder / "out", ignore_errors=True)


def test_a_full_output_is_said(start, folder):
    for line in QUICK if ASKED else [SCORE]:
        with Path("/dev/full").open("wb", buffering=0) as full:
            _, err = ended(start(line.words, folder, stdout=full), codes=(0, 2))
        assert b"No space left" in err or not err
        shutil.rmtree(folder / "out", ignore_errors=True)


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_is_no_reason_to_fail_oddly(start, folder, closed):
    for line in TRIED:
        ended(start(line.words, folder, preexec_fn=lambda: os.close(closed)), codes=(0, 1, 2))
        shutil.rmtree(folder / "out", ignore_errors=True)


def test_a_reader_that_leaves_ends_the_command_quietly(start, folder):
    for line in TRIED:
        process = start(line.words, folder)
        process.stdout.close()
        process.stdout = None
        ended(process, codes=(0, 1))
        shutil.rmtree(folder / "out", ignore_errors=True)


def test_a_folder_that_is_gone_is_said(start, folder):
    for line in TRIED:
        gone = folder / "gone"
        gone.mkdir()
        command = [
            "sh",
            "-c",
            'rmdir "$PWD"; exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "w2s_factory",
            *line.words,
        ]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=gone, env=environ, capture_output=True, check=False, timeout=60)
        if done.returncode == 0 and not any(word.startswith(("in/", "out")) for word in line.words):
            continue  # it uses no file of the folder
        assert done.returncode == 2, done.stderr
        assert done.stderr.splitlines()[-1].startswith(b"Error: "), done.stderr
        assert b"Traceback" not in done.stderr
        assert done.stderr.count(b"Error: ") == 1, done.stderr


def test_files_that_may_not_grow_leave_nothing_half_written(start, folder, monkeypatch):
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # its data would be limited, too
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # truncated bytecode would be kept and loaded later

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

    for line in TRIED:
        _, err = ended(start(line.words, folder, preexec_fn=small), codes=(0, 2))
        left = [name for name in written(folder) if not name.endswith(".journal.jsonl")]
        assert not left or b"Error" not in err, (line, left, err)
        shutil.rmtree(folder / "out", ignore_errors=True)


def test_two_at_once_write_what_one_writes(start, folder):
    for line in QUICK if ASKED else [STAGE1]:
        ended(start(line.words, folder))
        alone = written(folder)
        noted = lines_of(folder)
        shutil.rmtree(folder / "out", ignore_errors=True)
        for process in [start(line.words, folder) for _ in range(4)]:
            ended(process, codes=(0, 2) if line.words[0] == "generate" else (0,))
        assert written(folder) == alone
        assert lines_of(folder) == noted, line
        shutil.rmtree(folder / "out", ignore_errors=True)


def lines_of(folder):
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("out/**/manifest.jsonl"))


SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS if ASKED else SIGNALS[1:2])
def test_a_signal_at_any_time_loses_nothing(start, folder, number):
    draw = random.Random(int(number))
    for line in [SCORE, STAGE1, GENERATE]:
        began = time.monotonic()
        ended(start(line.words, folder))
        took = time.monotonic() - began
        alone = written(folder)
        shutil.rmtree(folder / "out", ignore_errors=True)
        for _ in range(20 if ASKED else 1):
            process = start(line.words, folder)
            time.sleep(draw.uniform(0.5, 1) * took)
            process.send_signal(number)
            process.communicate(timeout=60)
            partial = [name for name in written(folder) if name.endswith(".part")]
            assert number == signal.SIGKILL or partial == [], partial
            for name, content in written(folder).items():
                # A journal and its hashes grow with each response; every other file is there whole or not at all.
                known = alone.get(name, content)
                assert known.startswith(content) if ".journal.jsonl" in name else known == content
            ended(start(line.words, folder))
            again = {name: text for name, text in written(folder).items() if not name.endswith(".part")}
            assert again == alone
            shutil.rmtree(folder / "out", ignore_errors=True)
