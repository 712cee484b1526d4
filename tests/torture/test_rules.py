"""The campaign itself: every fault is drawn, and its rules notice what they are to notice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from random import Random

import campaign
import command_faults
import pytest
import run_faults
import spoil
from campaign import SKIPPED, batches, draws, table
from command_faults import QUICK

SCORE = next(line for line in QUICK if line.words[0] == "score" and "--output" in line.words)
GENERATE = next(line for line in QUICK if "--demos in/demos.json" in line.arguments)


@pytest.mark.parametrize("kinds", [command_faults.KINDS, run_faults.KINDS], ids=["commands", "runs"])
@pytest.mark.parametrize("faults", [0, 1, 19, 50, 95, 950])
def test_all_faults_are_drawn_in_their_shares(kinds, faults):
    shares = {kind: share for kind, (share, _) in kinds.items()}
    drawn = Counter()
    for kind, _, count in batches(shares, faults):
        drawn[kind] += count
    assert sum(drawn.values()) == faults
    if faults == sum(shares.values()):
        assert drawn == shares


def test_the_shares_are_those_of_a_thousand_faults():
    assert sum(share for share, _ in command_faults.KINDS.values()) == 950
    assert sum(share for share, _ in run_faults.KINDS.values()) == 50


def test_faults_follow_from_the_seed():
    first, again = ([draw.random() for draw in draws("x", 0, 3)] for _ in range(2))
    assert first == again
    assert len({*first, *(draw.random() for draw in draws("x", 1, 3))}) == 6


@pytest.mark.parametrize("name", spoil.SPOILED)
def test_damage_changes_a_file(name):
    content = b"x" * 9000
    assert all(spoil.SPOILED[name](content, Random(seed)) != content for seed in range(20))


@pytest.mark.usefixtures("stood_in")
def test_rules_notice_what_is_half_written_lost_or_left(world):
    world.expected(SCORE)
    world.run(*SCORE.words)
    world.check_whole(SCORE)
    results = world.folder / "out/results.jsonl"
    whole = results.read_bytes()
    results.write_bytes(whole[:-5])
    with pytest.raises(AssertionError, match="half written"):
        world.check_nothing_half_written(SCORE, killed=True)
    with pytest.raises(AssertionError, match="differs"):
        world.check_whole(SCORE)
    results.write_bytes(whole)
    (world.folder / "out/.results.jsonl.0.part").touch()
    world.check_nothing_half_written(SCORE, killed=True)
    with pytest.raises(AssertionError, match="was left"):
        world.check_nothing_half_written(SCORE, killed=False)
    (world.folder / "out/.results.jsonl.0.part").unlink()
    (world.folder / "in/golds.jsonl").unlink()
    with pytest.raises(AssertionError, match="gone"):
        world.check_nothing_half_written(SCORE, killed=True)


@pytest.mark.usefixtures("stood_in")
def test_rules_notice_a_journal_with_other_lines_and_a_manifest_with_old_hashes(world):
    world.fresh()
    world.expected(GENERATE)
    world.run(*GENERATE.words)
    journal, manifest = world.folder / "out/output.journal.jsonl", world.folder / "out/manifest.jsonl"
    journal.write_text(journal.read_text().replace("echo 3", "echo 4"))
    with pytest.raises(AssertionError, match="has other lines"):
        world.check_nothing_half_written(GENERATE, killed=True)
    world.fresh()
    world.run(*GENERATE.words)
    manifest.write_text(manifest.read_text().replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(AssertionError, match="another hash"):
        world.check_whole(GENERATE)


def test_the_table_counts_outcomes():
    line = '{"kind": "cut", "subject": "score", "ended": "completed", "then": "--force"}'
    assert table([line, line])[2:] == ["| cut | 2 | completed | --force |", "2 faults"]
    skipped = line.replace("completed", SKIPPED)
    assert table([line, skipped])[-1] == "1 faults, 1 more were skipped"


ASKS_THE_CLOCKS = """
import subprocess, sys, time
began = time.monotonic()
time.sleep(0.05)
subprocess.run([sys.executable, "-c", ""], timeout=60)
print(time.localtime().tm_year, began)
"""


@pytest.mark.parametrize("clock", campaign.CLOCKS)
def test_under_another_clock_processes_can_wait_and_time_goes_on_as_it_did(clock, monkeypatch):
    monkeypatch.setattr(campaign, "CLOCKS", (clock,))
    environ = campaign.faked_clock(Random(0))
    if environ is None:
        pytest.skip("needs libfaketime: apt-get install faketime, or W2S_LIBFAKETIME=FILE")
    done = subprocess.run(
        [sys.executable, "-c", ASKS_THE_CLOCKS],
        env={**os.environ, "PYTHONPATH": command_faults.PLAYED[0], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    year, began = done.stdout.split()
    now = time.localtime(time.time() + 86_400 * (clock == "+1d x50")).tm_year
    years = {"-20y": now - 20, "+15y": now + 15, "+1d x50": now}  # the others begin with a date
    expected = years.get(clock) or int(clock[1:5])
    assert int(year) in (expected, expected + 1)  # one of them begins a second before a new year
    assert abs(time.monotonic() - float(began)) < 60
