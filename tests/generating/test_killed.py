"""Killed with SIGKILL at random moments and started again: the same file in the end, no row twice.

W2S_KILLS says how often: once by itself, `W2S_KILLS=20` for what the engines are held to.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import orjson
import pytest

KILLS = int(os.environ.get("W2S_KILLS", "1"))
QUESTIONS = 48
ROOT = Path(__file__).resolve().parents[2]
PLAYED = ROOT / "tests/played/engine"
"""Offers an engine that starts at once and takes its time over each response."""


class Run:
    """`w2s-factory generate` of the embedded task's questions, started as a process of its own."""

    def __init__(self, folder, *options):
        self.folder, self.options = folder, options
        self.output, self.journal = folder / "output.jsonl", folder / "output.journal.jsonl"

    def start(self):
        command = [sys.executable, "-m", "w2s_factory", "generate", "--task", "arithmetic", "--split", "dev"]
        command += [
            "--limit",
            str(QUESTIONS),
            "--max-tokens",
            "48",
            "--output-dir",
            str(self.folder),
            *self.options,
        ]
        log = (self.folder.parent / f"{self.folder.name}.log").open("a")
        return subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(PLAYED)])},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def finish(self):
        process = self.start()
        assert process.wait() == 0, (self.folder.parent / f"{self.folder.name}.log").read_text()

    def wait_for_first_row(self, process):
        while process.poll() is None and self.rows() == 0:
            time.sleep(0.01)

    def rows(self):
        """Whole rows in the journal, its header not counted."""
        return max(0, self.journal.read_bytes().count(b"\n") - 1) if self.journal.exists() else 0

    def kill(self, process, delay):
        """Kill it and all it started, `delay` seconds from now."""
        time.sleep(delay)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def engines(request):
    def tiny():
        return str(request.getfixturevalue("tiny"))

    return {
        "undecided": lambda: ["--engine", "undecided", "--model", "some/model", "--engine-option", "pause=0.02"],
        "transformers": lambda: ["--engine", "transformers", "--model", tiny(), "--engine-option", "batch_size=4"],
        "openai": lambda: ["--engine", "openai", "--model", "tiny", "--base-url", request.getfixturevalue("server").url, "--engine-option", "concurrency=4"],
        "vllm": lambda: ["--engine", "vllm", "--model", tiny(), *request.getfixturevalue("vllm_flags"), "--engine-option", "max_num_seqs=8"],
    }  # fmt: skip


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "engine",
    [
        "undecided",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("transformers", "openai")),
        pytest.param("vllm", marks=pytest.mark.vllm),
    ],
)
def test_killed_and_started_again_it_ends_in_the_undisturbed_file(tmp_path, request, engine):
    options = engines(request)[engine]()
    undisturbed = Run(tmp_path / "undisturbed", *options)
    process = undisturbed.start()
    undisturbed.wait_for_first_row(process)
    begun = time.monotonic()
    assert process.wait() == 0, (tmp_path / "undisturbed.log").read_text()
    lasts = time.monotonic() - begun
    draw = random.Random(20)
    kills, interrupted, runs = 0, 0, 0
    while interrupted < KILLS:
        disturbed = Run(tmp_path / f"disturbed{runs}", *options)
        runs += 1
        while interrupted < KILLS and not disturbed.output.exists():
            process = disturbed.start()
            before = disturbed.rows()
            while process.poll() is None and disturbed.rows() == before:  # loading, mostly
                time.sleep(0.005)
            disturbed.kill(process, draw.uniform(0, lasts / 3))
            kills += process.returncode == -signal.SIGKILL
            interrupted += 0 < disturbed.rows() < QUESTIONS
        disturbed.finish()
        assert disturbed.output.read_bytes() == undisturbed.output.read_bytes()
        kept = [orjson.loads(line) for line in disturbed.journal.read_bytes().splitlines()[1:]]
        assert Counter(row["id"] for row in kept) == dict.fromkeys(range(QUESTIONS), 1)
    print(f"{engine}: {kills} kills, {interrupted} of them within the responses, {runs} runs")


def test_killed_before_the_first_response(tmp_path, request):
    """Even a journal of no whole line is continued."""
    run = Run(tmp_path / "run", *engines(request)["undecided"]())
    process = run.start()
    run.kill(process, 0.3)
    run.finish()
    assert run.rows() == QUESTIONS
