from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.experiment.status import RunStatus, StepStatus
from w2s_factory.experiment.status_view import clock, status_lines
from w2s_factory.generating.generation_progress import ResponsesProgress
from w2s_factory.llamafactory.training_progress import TrainingProgress

GENERATING = StepStatus(
    "seed0/generate_a", "generate", "running", "logs/a.log", 125.0, 4000.0, ResponsesProgress(1204, 7000, 2.5, 1532.4, 4000.0)
)  # fmt: skip
TRAINING = StepStatus(
    "seed0/train_b", "train", "running", "logs/b.log", 61.0, 3.0, None, TrainingProgress(120, 400, 0.4212, 0.1, 3.0)
)  # fmt: skip
FAILED = StepStatus("seed0/score_c", "score", "failed", "logs/seed0/score_c.log")
QUEUED = StepStatus("seed0/train_d", "train", "waiting", "logs/d.log", job="31")
DONE = StepStatus("report", "report", "done", "logs/report.log", 3723.9)


def run(*steps, **changes) -> RunStatus:
    return replace(RunStatus("runs/x", "x", True, 12, "vm", tuple(steps)), **changes)


def text(status, room=None) -> list[str]:
    return [line.plain for line in status_lines(status, room)]


def test_each_step_has_its_state_its_progress_and_its_time():
    lines = text(run(DONE, GENERATING, TRAINING, FAILED, QUEUED, seconds=130.0))
    assert lines == [
        "x: 5 steps, 1 done, 1 waiting, 2 running, 1 failed",
        "active (process 12 on vm) for 0:02:10",
        "  done      report             1:02:03",
        "  running   seed0/generate_a   0:02:05",
        "            1,204 of 7,000 responses, 1,532 tokens/s; about 1:06:40 left",
        "  running   seed0/train_b      0:01:01",
        "            step 120 of 400, loss 0.4212; about 0:00:03 left",
        "  failed    seed0/score_c",
        "            log: logs/seed0/score_c.log",
        "  waiting   seed0/train_d",
        "            job 31 waits in Slurm's queue",
    ]


@pytest.mark.parametrize(
    ("step", "details"),
    [
        (replace(GENERATING, responses=None, remaining_seconds=None), "time left not known yet"),
        (replace(GENERATING, responses=ResponsesProgress(0, 9), remaining_seconds=None), "0 of 9 responses; time left not known yet"),
        (replace(GENERATING, responses=ResponsesProgress(3, 9, 0.25), remaining_seconds=24.0), "3 of 9 responses, 0.25 responses/s; about 0:00:24 left"),
        (replace(TRAINING, training=TrainingProgress(1, 9)), "step 1 of 9; about 0:00:03 left"),
        (replace(TRAINING, training=TrainingProgress(1, 9, float("nan"))), "step 1 of 9, loss nan; about 0:00:03 left"),
        (replace(TRAINING, training=None, remaining_seconds=0.0), "takes longer than such steps did"),
        (replace(TRAINING, job="31"), "step 120 of 400, loss 0.4212; about 0:00:03 left; job 31"),
    ],
)  # fmt: skip
def test_the_details_of_a_running_step(step, details):
    assert text(run(step))[-1].strip() == details


def test_a_short_step_may_take_a_little_longer():
    assert len(text(run(replace(TRAINING, training=None, seconds=2.0, remaining_seconds=0.0)))) == 3


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"process": None, "host": ""}, "active"),
        ({"remaining_seconds": 90.0}, "active (process 12 on vm); about 0:01:30 left"),
        ({"active": None, "quiet_seconds": 65.0}, "may be active (process 12 on vm), last wrote to a log 0:01:05 ago"),
        ({"active": None, "process": None}, "may be active"),
        ({"active": False}, "no run is active; the same `run` command continues"),
        ({"active": False, "steps": (DONE,)}, "complete"),
        ({"active": False, "jobs_left": ("31", "32")}, "no run is active, but its jobs in Slurm go on: 31, 32"),
        ({"active": False, "jobs_left": None}, "no run is active; its jobs may go on in Slurm, which does not answer"),
    ],
)  # fmt: skip
def test_whether_a_run_is_active_and_what_remains(changes, line):
    assert text(run(QUEUED, **changes))[1] == line


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (90.0, "not counting report, vote (none measured yet)"),
        (None, "time left not known: report, vote (none measured yet)"),
    ],
)
def test_what_the_remaining_time_lacks(seconds, line):
    assert text(run(QUEUED, remaining_seconds=seconds, unmeasured=("report", "vote")))[2] == line


STEPS = st.lists(
    st.sampled_from([GENERATING, TRAINING, FAILED, QUEUED, DONE, replace(QUEUED, job=None)]), max_size=250
)


@given(steps=STEPS, room=st.integers(5, 60))
def test_what_has_no_room_is_counted(steps, room):
    status = run(*(replace(step, name=f"seed0/s{number}") for number, step in enumerate(steps)))
    lines = text(status, room)
    assert len(lines) <= room
    shown = [line.split()[0] for line in lines[2:] if re.match(r"  [a-z]+ +seed0/s", line)]
    rest = dict.fromkeys(status.counts, 0)
    if lines[-1].startswith("  and "):
        rest |= {
            state: int(count.replace(",", "")) for count, state in re.findall(r"(\d[\d,]*) (\w+)", lines[-1])
        }
    assert {state: shown.count(state) + rest[state] for state in rest} == status.counts


def test_failed_and_running_steps_come_first_where_there_is_no_room():
    waiting = [replace(QUEUED, name=f"seed0/w{number}", job=None) for number in range(200)]
    done = [replace(DONE, name=f"seed0/d{number}") for number in range(50)]
    lines = text(run(*done, GENERATING, FAILED, *waiting), 12)
    assert [line.split()[1] for line in lines[2:] if re.match(r"  \w", line)] == [
        "seed0/generate_a", "seed0/score_c", "seed0/w0", "seed0/w1", "seed0/w2", "seed0/w3", "seed0/w4", "50",
    ]  # fmt: skip
    assert lines[-1] == "  and 50 done, 195 waiting"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.9, "0:00:00"), (3723.9, "1:02:03"), (90_000, "1 day, 1:00:00")]
)
def test_a_clock(seconds, shown):
    assert clock(seconds) == shown
