from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, Group

from w2s_factory.experiment.status import RunStatus, StepStatus
from w2s_factory.experiment.status_view import clock, drawn, print_status, status_lines
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
        "active for 0:02:10; process 12 on vm",
        "  done      report             1:02:03",
        "  running   seed0/generate_a   0:02:05",
        "            1,204 of 7,000 responses; about 1:06:40 left; 1,532 tokens/s",
        "  running   seed0/train_b      0:01:01",
        "            step 120 of 400; about 0:00:03 left; loss 0.4212",
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
        (replace(GENERATING, responses=ResponsesProgress(3, 9, 0.25), remaining_seconds=24.0), "3 of 9 responses; about 0:00:24 left; 0.25 responses/s"),
        (replace(TRAINING, training=TrainingProgress(1, 9)), "step 1 of 9; about 0:00:03 left"),
        (replace(TRAINING, training=TrainingProgress(1, 9, float("nan"))), "step 1 of 9; about 0:00:03 left; loss nan"),
        (replace(TRAINING, training=None, remaining_seconds=0.0), "takes longer than such steps did"),
        (replace(TRAINING, job="31"), "step 120 of 400; about 0:00:03 left; loss 0.4212; job 31"),
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
        ({"remaining_seconds": 90.0}, "active; about 0:01:30 left; process 12 on vm"),
        ({"active": None, "quiet_seconds": 65.0}, "may be active; last wrote to a log 0:01:05 ago; process 12 on vm"),
        ({"active": None, "seconds": 60.0, "quiet_seconds": 0.0, "remaining_seconds": 183.0},
         "may be active for 0:01:00; about 0:03:03 left; last wrote to a log 0:00:00 ago; process 12 on vm"),
        ({"active": None, "process": None}, "may be active"),
        ({"active": False}, "no run is active; the same `run` command continues"),
        ({"remaining_seconds": 90.0, "unmeasured": ("train",)}, "active; at least 0:01:30 left; process 12 on vm"),
        ({"active": False, "processes_left": 2},
         "no run is active, but a killed one left 2 processes; the same `run` command ends them first"),
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


LONG = run(
    replace(DONE, name="seed0/generate_train_2_with_the_model_of_iteration_2_trained_on_hybrid", seconds=99_000.0),
    replace(GENERATING, name="seed0/generate_test_with_the_model_of_iteration_2_trained_on_hybrid"),
    replace(FAILED, log=f"logs/seed0/{'score_' * 20}.log"),
    name="a_name_" * 20,
    process=123456,
    host="gpu-node-with-a-long-name-001.cluster.example.org",
    seconds=99_000.0,
    remaining_seconds=100_000.0,
)  # fmt: skip


def printed(status, columns=None) -> list[str]:
    """What appears of it on a terminal, or in a pipe."""
    console = Console(width=columns or 10_000, file=io.StringIO(), highlight=False)
    console.print(Group(*status_lines(status, columns=columns)))
    return console.file.getvalue().splitlines()


def test_a_pipe_gets_whole_lines(capsys):
    left = replace(LONG, active=False, jobs_left=tuple(map(str, range(100_000, 100_030))))
    for status in (LONG, left):
        print_status(status)
        assert capsys.readouterr().out.splitlines() == text(status) == printed(status)
    lines = text(LONG)
    assert lines[1].endswith("; process 123456 on gpu-node-with-a-long-name-001.cluster.example.org")
    assert lines[-1] == f"            log: {LONG.steps[-1].log}"
    assert text(left)[1].endswith(", 100028, 100029")


@pytest.mark.parametrize("columns", [60, 80])
def test_a_narrow_terminal_shows_times(columns):
    lines = printed(LONG, columns)
    assert max(map(len, lines)) <= columns
    assert lines[1].startswith("active for 1 day, 3:30:00; about 1 day, 3:46:40 left")
    assert lines[2].endswith("  1 day, 3:30:00")
    assert lines[3].endswith("  0:02:05")
    assert "about 1:06:40 left" in lines[4]
    names = [line.split()[1] for line in lines[2:4]]
    assert all(name.startswith("seed0/gen") and "\N{HORIZONTAL ELLIPSIS}" in name for name in names)
    assert all(name.endswith("on_hybrid") for name in names)


@given(steps=STEPS, columns=st.integers(40, 200))
def test_no_name_is_shortened_without_need(steps, columns):
    shown = printed(run(*steps), columns)
    longest = max((len(line) for line in text(run(*steps))), default=0)
    if longest <= columns:
        assert shown == text(run(*steps))
    assert max(map(len, shown)) <= columns


def test_closed_streams_are_not_terminals(monkeypatch, tmp_path):
    """They are None where a process is started with `2>&-`, as by some schedulers."""
    monkeypatch.setattr("sys.stdout", None)
    print_status(LONG)
    monkeypatch.setattr("sys.stderr", None)
    with drawn(tmp_path) as on_screen:
        assert on_screen is False


def test_control_characters_do_not_reach_the_terminal():
    evil = "x\x1b[31m\x1b]0;owned\x07\n\ud800"
    steps = [replace(step, name=evil, log=evil, job=evil) for step in (GENERATING, FAILED, QUEUED)]
    status = run(*steps, name=evil, host=evil, unmeasured=(evil,), jobs_left=(evil,))
    for each in (status, replace(status, active=False)):
        lines = text(each)
        assert all(line.isprintable() for line in lines), lines
        assert lines[0].startswith(r"x\x1b[31m\x1b]0;owned\x07\n\ud800: 3 steps")


def test_the_last_state_of_a_run_does_not_say_that_none_is_active():
    at_rest = replace(run(QUEUED, DONE), active=False)
    assert [line.plain for line in status_lines(at_rest, ended=True)] == [
        text(at_rest)[0],
        *text(at_rest)[2:],
    ]
    whole = replace(run(DONE), active=False)
    assert [line.plain for line in status_lines(whole, ended=True)] == text(whole)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.9, "0:00:00"),
        (3723.9, "1:02:03"),
        (90_000, "1 day, 1:00:00"),
        (1e300, "over 100 years"),
        (float("inf"), "over 100 years"),
        (float("nan"), "over 100 years"),
    ],
)
def test_a_clock(seconds, shown):
    assert clock(seconds) == shown
