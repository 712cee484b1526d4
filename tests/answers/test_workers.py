"""Workers are killed in time, use no more memory than is given, and do not outlive their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from w2s_factory.answers import workers
from w2s_factory.answers.limits import Verdict
from w2s_factory.errors import HookError


def behave(pred, gold):
    """Do what the prediction says."""
    match pred:
        case "equal":
            return pred == gold
        case "sleep":
            time.sleep(60)
        case "count":  # one long operation of the interpreter, deaf to signals with Python handlers
            return (10**7) ** (10**7) == 0
        case "fill":
            return bytearray(4 * 1024**3) == b""
        case "die":
            os._exit(3)
        case "raise":
            raise ImportError("no such parser")
        case "leave":
            raise SystemExit(7)
    return False


def verdict(pred, gold="equal", timeout=0.5):
    [(pair, found)] = workers.run(behave, [(pred, gold)], timeout=timeout)
    assert pair == (pred, gold)
    return found


@pytest.mark.parametrize(
    ("pred", "expected"),
    [
        ("equal", Verdict(True)),
        ("other", Verdict(False)),
        ("sleep", Verdict(False, "time")),
        ("count", Verdict(False, "time")),
        ("fill", Verdict(False, "memory")),
        ("die", Verdict(False, "crash")),
    ],
)
def test_verdicts(pred, expected):
    assert verdict(pred) == expected


def test_the_rest_is_judged_when_one_is_killed():
    pairs = [
        ("sleep", "a"),
        ("equal", "equal"),
        ("die", "b"),
        ("equal", "other"),
        ("sleep", "c"),
        ("equal", "x"),
    ]
    found = list(workers.run(behave, pairs, timeout=0.4, workers=2))
    assert [pair for pair, _ in found] == pairs
    assert [one.limit for _, one in found] == ["time", None, "crash", None, "time", None]
    assert [one.result for _, one in found] == [False, True, False, False, False, False]


def test_what_a_comparison_raises_is_raised():
    with pytest.raises(ImportError, match="no such parser"):
        verdict("raise")


def test_a_comparison_that_leaves_is_an_error():
    with pytest.raises(HookError, match=r"comparing 'leave' with 'equal' raised SystemExit: 7; expected"):
        verdict("leave")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_no_worker_is_left_when_the_caller_stops_early():
    rows = workers.run(behave, [("equal", "equal"), ("sleep", "")], timeout=30, workers=2)
    next(rows)
    assert children(os.getpid())
    rows.close()
    assert not children(os.getpid())


def children(pid):
    """The processes that the threads of a process have started and that still run."""
    found = [
        int(child)
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for child in path.read_text().split()
    ]
    return [child for child in found if running(child)]


PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
sys.path.insert(0, {folder!r})
from test_workers import behave
from w2s_factory.errors import HookError
from w2s_factory.answers import workers
print("ready", flush=True)
for _ in workers.run(behave, [("count", str(n)) for n in range(9)], timeout=60, workers=2):
    pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_an_interrupted_parent(signum):
    program = PROGRAM.format(folder=str(Path(__file__).parent))
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout.readline() == b"ready\n"
        wait_until(lambda: len(children(parent.pid)) == 2)
        time.sleep(0.3)
        busy = children(parent.pid)
        parent.send_signal(signum)
        parent.wait(10)
    wait_until(lambda: not [pid for pid in busy if running(pid)])


def running(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
